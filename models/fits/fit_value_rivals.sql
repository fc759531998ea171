-- Grain: one row per model of amounts that no gate has seen yet.
-- The newest fit of a candidate and horizon of which the log of the previous run says
-- nothing, beside the model of the same candidate that scores before this run.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

models as (

    select models.*

    from {{ ref('fit_value_models') }} as models

    cross join clock

    where {{ is_past('models.as_of_date', 'clock.score_date') }}

),

newest as (

    select *

    from models

    qualify
        as_of_date = max(as_of_date) over (
            partition by task, horizon_days
        )

),

events as (

    select *

    from ({{ previous('fit_value_promotions', {
        'event_number': 'bigint',
        'task': 'varchar',
        'horizon_days': 'integer',
        'model_id': 'varchar',
        'event': 'varchar',
        'as_of_date': 'date',
    }) }}) as earlier

),

champions as (

    {{ standing_champions('events', '(select score_date from clock)') }}

),

rivals as (

    select
        newest.model_id,
        newest.task,
        newest.horizon_days,
        newest.version,
        newest.model_name,
        newest.as_of_date,
        newest.model_document,
        newest.document_sha256,
        theirs.model_id as champion_id,
        theirs.model_document as champion_document,
        theirs.document_sha256 as champion_sha256,
        -- what a decision asks of any model: one candidate has no other to give way to
        theirs.model_name as champion_name,
        cast(null as varchar) as choice_status,
        true as is_chosen

    from newest

    left join champions
        on newest.task = champions.task
        and newest.horizon_days = champions.horizon_days

    left join models as theirs
        on champions.model_id = theirs.model_id

    where newest.model_id not in (select events.model_id from events)

)

select * from rivals
