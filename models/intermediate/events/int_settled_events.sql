-- Grain: one row per event line that had to be judged by itself, with the verdict.
-- Copies and conflicts are told by the ids themselves here, not by their hashes.

{{ config(materialized='table') }}

{% set refused = 'is_contested and not is_latest'
    if setting('conflicting_duplicates') == 'latest' else 'is_contested' %}

with

current_files as (

    select
        reading_id,
        first_read_date,
        last_scored_date

    from {{ ref('int_current_files') }}

),

unusual as (

    select
        unusual.*,
        {{ known_date('events') }} as known_date

    from {{ ref('int_unusual_events') }} as unusual

    left join current_files
        on unusual.reading_id = current_files.reading_id

    where unusual.reading_id is null or current_files.reading_id is not null

),

compared as (

    select
        *,
        count(distinct content) over version > 1 as is_contested,
        content = last_value(content) over (
            version
            order by reading_id nulls first, source_line
            rows between unbounded preceding and unbounded following
        ) as is_latest,
        row_number() over (
            partition by event_id, loaded_at, content
            order by reading_id nulls first, source_line
        ) as copy_number

    from unusual

    where reject_reason is null and exclude_reason is null

    window version as (partition by event_id, loaded_at)

),

ruled as (

    select
        * exclude (is_contested, is_latest, copy_number)
        replace (
            case
                when {{ refused }}
                    then 'conflicting_duplicate'
            end as reject_reason,
            case
                when
                    not ({{ refused }})
                    and copy_number > 1
                    then 'exact_duplicate'
            end as exclude_reason
        )

    from compared

),

settled as (

    select *

    from unusual

    where reject_reason is not null or exclude_reason is not null

    union all by name

    select
        *,
        case
            when reject_reason is null and exclude_reason is null
                then lead(known_date) over (
                    partition by
                        event_id, coalesce(reject_reason, exclude_reason) is null
                    order by loaded_at asc nulls first
                )
        end as superseded_date

    from ruled

)

select * from settled
