{#- The model that scores as of a date: the last one that was promoted, approved or
    returned to by then. `events` is a relation or a query of the promotion log. -#}
{% macro standing_champions(events, as_of_date) -%}
    select
        task,
        horizon_days,
        model_id

    from {{ events }} as events

    where
        event in ('promoted', 'approved', 'rolled_back')
        and {{ perennial.is_past('events.as_of_date', as_of_date) }}

    qualify row_number() over (
        partition by task, horizon_days
        order by event_number desc
    ) = 1
{%- endmacro %}

{#- What becomes of models that no gate had seen: each gate that they came to, and what
    is decided of each of them. One that passes scores at once, or waits for a person. -#}
{% macro decided_promotions(models, gates, earlier_events) -%}
    {%- set passed = 'waiting' if perennial.setting('approval') == 'manual' else 'promoted' %}
    with

    models as (

        select * from {{ models }}

    ),

    gates as (

        select
            models.task,
            models.horizon_days,
            models.model_id,
            models.as_of_date,
            'gate' as event,
            gates.gate,
            gates.value,
            gates.threshold,
            gates.verdict,
            gates.note

        from {{ gates }} as gates

        inner join models
            on gates.model_id = models.model_id

    ),

    failures as (

        select
            model_id,
            count(*) filter (where verdict = 'not_met') as failures_count,
            string_agg(gate, ', ' order by gate) filter (where verdict = 'not_met')
                as failed_gates

        from gates

        group by model_id

    ),

    -- the first model passes whatever its gates say, and so does the base rate where no
    -- candidate has skill: there is nothing better
    passing as (

        select
            models.*,
            coalesce(failures.failures_count, 0) as failures_count,
            failures.failed_gates,
            models.champion_name is null as is_first,
            coalesce(
                models.choice_status = 'no_skill' and models.model_name = 'base_rate', false
            ) as is_without_skill,
            is_first or is_without_skill or failures_count = 0 as is_passing

        from models

        left join failures
            on models.model_id = failures.model_id

    ),

    -- of two that pass the chosen one goes first
    decided as (

        select
            *,
            is_passing
            and row_number() over (
                partition by task, horizon_days
                order by is_passing desc, is_chosen desc, version desc
            ) = 1 as is_promoted

        from passing

    ),

    decisions as (

        select
            task,
            horizon_days,
            model_id,
            as_of_date,
            case when is_promoted then '{{ passed }}' else 'kept_out' end as event,
            'decision' as gate,
            cast(failures_count as double) as value,
            cast(0 as double) as threshold,
            case when is_promoted then 'met' else 'not_met' end as verdict,
            concat_ws(
                '; ',
                case
                    when is_promoted and is_first then 'the first model'
                    when is_promoted and is_without_skill
                        then 'no candidate has skill: the base rate'
                    when is_promoted then 'passed its gates'
                    when is_passing then 'another one passed before it'
                end,
                'failed at ' || failed_gates
            ) as note

        from decided

    ),

    events as (

        select * from gates
        union all
        select * from decisions

    ),

    known as (

        select max(event_number) as event_number

        from ({{ earlier_events }}) as earlier

    ),

    numbered as (

        select
            cast(
                coalesce(known.event_number, 0) + row_number() over (
                    order by
                        events.task asc,
                        events.horizon_days asc,
                        events.model_id asc,
                        events.event = 'gate' desc,
                        events.gate asc
                ) as bigint
            ) as event_number,
            events.task,
            cast(events.horizon_days as bigint) as horizon_days,
            events.model_id,
            events.as_of_date,
            events.event,
            events.gate,
            cast(events.value as double) as value,
            cast(events.threshold as double) as threshold,
            events.verdict,
            cast(events.note as varchar) as note,
            'build' as decided_by

        from events

        cross join known

        {% if is_incremental() -%}
            -- this model may run twice after one judgement
            where events.model_id not in (select model_id from {{ this }})
        {%- endif %}

    )

    select * from numbered
{%- endmacro %}

{#- Every registered model with its stage, which is what the log last said of it by the
    score date. -#}
{% macro stages_of_models(models, events) -%}
    with

    clock as (

        select score_date from {{ ref('int_score_date') }}

    ),

    models as (

        select models.*

        from {{ models }} as models

        cross join clock

        where {{ perennial.is_past('models.as_of_date', 'clock.score_date') }}

    ),

    events as (

        select events.*

        from {{ events }} as events

        cross join clock

        where
            events.event <> 'gate'
            and {{ perennial.is_past('events.as_of_date', 'clock.score_date') }}

    ),

    champions as (

        {{ perennial.standing_champions('events', '(select score_date from clock)') }}

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
{%- endmacro %}
