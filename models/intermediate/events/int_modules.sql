-- Grain: one row per module that events have named.
-- Each module has a place in a set of bits, for good: sets that are stored stay right
-- when the product gets a new module, which takes the next place.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail'
) }}

with

named as (

    select
        module,
        min(activity_date) as first_activity_date

    from {{ ref('int_event_days') }}

    where module is not null

    group by module

),

known as (

    {% if is_incremental() -%}
        select
            module,
            place

        from {{ this }}
    {%- else -%}
        select
            cast(null as varchar) as module,
            cast(null as integer) as place

        where false
    {%- endif %}

),

places_taken as (

    select coalesce(max(place) + 1, 0) as places_count

    from known

),

new_modules as (

    select
        named.module,
        named.first_activity_date,
        row_number() over (
            order by named.first_activity_date asc, named.module asc
        ) - 1 as place_among_new

    from named

    left join known
        on named.module = known.module

    where known.module is null

),

placed as (

    select
        new_modules.module,
        new_modules.first_activity_date,
        -- a set has 63 places; what comes later shares the last one
        cast(
            least(places_taken.places_count + new_modules.place_among_new, 62)
            as integer
        ) as place

    from new_modules

    cross join places_taken

)

select * from placed
