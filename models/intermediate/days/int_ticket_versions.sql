-- Grain: one row per version of a support ticket.
-- When what the version tells became known. An answer, a resolution and a rating are
-- often filled in later, without a word of when: each counts from its own day, and a
-- rating, which has none, from the day on which the ticket was resolved.

with

versions as (

    select
        customer_id,
        ticket_id,
        row_number() over (
            order by opened_at asc, ticket_id asc, loaded_at asc nulls first
        ) as place,
        opened_at,
        category,
        first_response_at,
        resolved_at,
        csat,
        {{ business_day('opened_at') }} as opened_date,
        {{ business_day('first_response_at') }} as response_date,
        {{ business_day('resolved_at') }} as resolved_date,
        known_date,
        superseded_date

    from {{ ref('input_tickets') }}

),

dated as (

    select
        customer_id,
        ticket_id,
        place,
        category,
        opened_date,
        greatest(known_date, opened_date) as from_date,
        superseded_date,
        response_date as answered_date,
        resolved_date,
        case
            when csat is not null
                then coalesce(resolved_date, known_date)
        end as rated_date,
        cast(date_diff('second', opened_at, first_response_at) as bigint)
            as response_seconds,
        cast(date_diff('second', opened_at, resolved_at) as bigint)
            as resolution_seconds,
        csat

    from versions

)

select * from dated
order by opened_date
