-- Grain: one row per model that no gate has seen yet.
-- The newest fits of a task and horizon of which the promotion log of the previous run
-- says nothing, beside the candidate that they have to beat.

with

clock as (

    select score_date from {{ ref('int_score_date') }}

),

models as (

    select models.*

    from {{ ref('model_registry') }} as models

    cross join clock

    where {{ is_past('models.as_of_date', 'clock.score_date') }}

    qualify
        models.as_of_date = max(models.as_of_date) over (
            partition by models.task, models.horizon_days
        )

),

judged as (

    select distinct model_id

    from ({{ previous('promotion_log', {'model_id': 'varchar'}) }}) as earlier

),

complexities as (

    select
        task,
        horizon_days,
        model_name,
        complexity

    from {{ ref('eval_leaderboard') }}

),

to_judge as (

    select
        models.model_id,
        models.task,
        models.horizon_days,
        models.version,
        models.model_name,
        models.as_of_date,
        models.is_chosen,
        models.choice_status,
        models.candidate_status,
        coalesce(own.complexity, 100) as complexity,
        decisions.champion_name,
        coalesce(theirs.complexity, 100) as champion_complexity,
        models.model_document,
        models.document_sha256

    from models

    inner join {{ ref('retrain_decision') }} as decisions
        on models.task = decisions.task
        and models.horizon_days = decisions.horizon_days

    left join judged
        on models.model_id = judged.model_id

    left join complexities as own
        on models.task = own.task
        and models.horizon_days = own.horizon_days
        and models.model_name = own.model_name

    left join complexities as theirs
        on models.task = theirs.task
        and models.horizon_days = theirs.horizon_days
        and decisions.champion_name = theirs.model_name

    where judged.model_id is null

)

select * from to_judge
