-- Grain: one row per order that the connector delivered, accepted or refused.
-- Orders are judged here and nowhere else: `input_orders` and `quarantine` filter.

with

orders as (

    select * from {{ ref('int_delivered_orders') }}

),

judged as (

    select
        *,
        case
            when trim(source_text) = '' then 'empty_line'
            when regexp_matches(source_text, '[\x00-\x08\x0E-\x1F\x7F]')
                then 'control_character'
            when not is_utf8 then 'unreadable_character'
            when
                customer_id is null
                and ordered_at_text is null
                and amount_text is null
                then 'unreadable_line'
            when customer_id is null then 'missing_customer_id'
            when ordered_at_text is null then 'missing_ordered_at'
            when ordered_at is null then 'unreadable_ordered_at'
            when amount_text is null then 'missing_amount'
            when amount is null then 'unreadable_amount'
            when amount < 0 then 'negative_amount'
        end as reject_reason

    from orders

)

select * from judged
