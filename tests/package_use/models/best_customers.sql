-- Grain: one row per customer, the ten who are worth most.

select
    customer_id,
    expected_value

from {{ ref('perennial', 'clv_scores') }}

order by expected_value desc nulls last, customer_id asc

limit 10
