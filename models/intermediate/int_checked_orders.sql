-- Grain: one row per order or refund that the connector delivered.
-- Orders are judged here and nowhere else: accepted, excluded or refused.

{#- Without a declared currency no amount is converted. -#}
{% set currency = setting('currency') %}
{% set is_foreign = "coalesce(currency <> '" ~ currency ~ "', false)" %}

with

files as (

    select
        reading_id,
        first_read_date,
        last_scored_date

    from {{ ref('int_current_files') }}

),

dated as (

    select
        delivered.*,
        {{ is_foreign if currency else 'false' }} as is_foreign,
        {{ business_day('delivered.ordered_at') }} as ordered_date,
        files.first_read_date,
        files.last_scored_date

    from {{ ref('int_delivered_orders') }} as delivered

    left join files
        on delivered.reading_id = files.reading_id

),

-- few days and currencies, so that the many orders meet one rate each
foreign_days as (

    select
        currency,
        {{ business_day('ordered_at') }} as ordered_date

    from {{ ref('int_delivered_orders') }}

    where {{ is_foreign if currency else 'false' }}

    group by currency, {{ business_day('ordered_at') }}

),

newest_rates as (

    select
        foreign_days.currency,
        foreign_days.ordered_date,
        max_by(rates.rate, rates.valid_from) as rate

    from foreign_days

    inner join {{ ref('currency_rates') }} as rates
        on foreign_days.currency = rates.currency
        and foreign_days.ordered_date >= rates.valid_from

    group by foreign_days.currency, foreign_days.ordered_date

),

priced as (

    select
        dated.*,
        dated.amount as delivered_amount,
        case
            when dated.is_foreign
                then try_cast(dated.amount * newest_rates.rate as {{ money() }})
            else dated.amount
        end as declared_amount

    from dated

    left join newest_rates
        on dated.currency = newest_rates.currency
        and dated.ordered_date = newest_rates.ordered_date

),

-- read twice, for the rows that share a key and the rest: cheaper than storing it
judged as not materialized (

    select
        * exclude (is_foreign, ordered_date, declared_amount)
        replace (
            case when row_fault is null then exclude_reason end as exclude_reason,
            -- whatever sign it came with, a refund takes away
            case
                when kind = 'refund' then -abs(declared_amount)
                else declared_amount
            end as amount
        ),
        {{ known_date('orders') }} as known_date,
        case
            {{ own_faults('orders') }}
            when kind not in ('purchase', 'refund') then 'unknown_kind'
            when status not in ('completed', 'failed') then 'unknown_status'
            when declared_amount is null then 'unknown_currency'
            when kind = 'purchase' and declared_amount < 0 then 'negative_amount'
            {{ future_fault('orders') }}
        end as reject_reason

    from priced

),

{{ settled_steps('orders') }},

-- of accepted rows the text stays where it was delivered
checked as (

    select
        order_id,
        customer_id,
        ordered_at,
        amount,
        kind,
        category,
        currency,
        status,
        delivered_amount,
        loaded_at,
        reject_reason,
        exclude_reason,
        known_date,
        superseded_date,
        reading_id,
        source_file,
        source_line,
        source_lines_count,
        {{ unused_text('orders') }} as source_text

    from settled

)

select * from checked
