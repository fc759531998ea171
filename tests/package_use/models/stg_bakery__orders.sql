-- Grain: one row per receipt.

select
    receipt as order_id,
    card as customer_id,
    cast(sold_on as timestamp) as ordered_at,
    cast(pence * 0.01 as decimal(18, 2)) as amount,
    case when pence < 0 then 'refund' else 'purchase' end as kind,
    case when card is null then 'guest' end as exclude_reason

from {{ ref('sales') }}
