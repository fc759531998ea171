-- A row here is a score that is missing without a word, or a number that is none.

select *

from {{ ref('score_clv') }}

where
    (model_source = 'none') is distinct from (expected_value is null)
    or (model_source = 'none' and model_note = '')
    or not isfinite(expected_orders_count)
    or not isfinite(order_probability)
    or not isfinite(expected_value)
