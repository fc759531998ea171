-- Grain: one row per loyalty card.

select distinct
    card as customer_id,
    'GB' as country

from {{ ref('sales') }}

where card is not null
