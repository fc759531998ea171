-- Grain: one row per registered model, as of the score date.
-- Its stage is what the promotion log last said of it.

{{ config(materialized='view') }}

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

models as (

    select models.*

    from {{ ref('model_registry') }} as models

    cross join clock

    where {{ is_past('models.as_of_date', 'clock.score_date') }}

),

events as (

    select events.*

    from {{ ref('promotion_log') }} as events

    cross join clock

    where
        events.event <> 'gate'
        and {{ is_past('events.as_of_date', 'clock.score_date') }}

),

champions as (

    {{ standing_champions('events', '(select score_date from clock)') }}

),

told as (

    select
        model_id,
        bool_or(event in ('promoted', 'approved', 'rolled_back')) as was_champion,
        max_by(event, event_number) as last_event,
        max_by(note, event_number) as last_note

    from events

    group by model_id

),

stages as (

    select
        models.model_id,
        models.task,
        models.horizon_days,
        models.version,
        models.model_name,
        models.as_of_date,
        case
            when champions.model_id is not null then 'champion'
            when told.was_champion then 'retired'
            when
                models.version = max(models.version) over (
                    partition by models.task, models.horizon_days
                )
                then 'challenger'
            else 'kept_out'
        end as stage,
        coalesce(told.last_event, 'registered') as last_event,
        coalesce(told.last_note, '') as last_note

    from models

    left join champions
        on models.model_id = champions.model_id

    left join told
        on models.model_id = told.model_id

)

select * from stages
