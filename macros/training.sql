{#- Tasks with a yes-or-no answer: the outcome that holds the label, its column, and the
    condition of being in scope. Another task is another entry. -#}
{% macro tasks_catalogue() -%}
    {{ return({
        'churn': {
            'outcome': 'outcome_churn', 'label': 'is_churned', 'scope': 'is_in_scope',
        },
        'expansion': {
            'outcome': 'outcome_expansion', 'label': 'is_expanded', 'scope': 'true',
        },
    }) }}
{%- endmacro %}

{#- The labels of all tasks, one below the other. All are read, so that the lineage is the
    same whatever is asked for. -#}
{% macro labels_of_tasks() -%}
    {%- for task, names in perennial.tasks_catalogue().items() -%}
        {{ 'union all ' if not loop.first }}select
            '{{ task }}' as task,
            horizon_days,
            as_of_date,
            customer_id,
            {{ names['label'] }} as label,
            {{ names['scope'] }} as is_in_scope
        from {{ ref(names['outcome']) }}
    {% endfor -%}
{%- endmacro %}

{#- A number from 0 to 4294967295 by a hash of a text, the same in every run; `purpose`
    keeps two draws of one text apart. -#}
{% macro hashed_number(text, purpose) -%}
    cast('0x' || left(md5('{{ purpose }} ' || {{ text }}), 8) as bigint)
{%- endmacro %}

{#- Candidates in rising order of complexity, by which the simpler of two is told. -#}
{% macro candidates_in_order() -%}
    {{ return([
        'base_rate', 'recency_rule', 'bg_nbd', 'logistic_six', 'logistic', 'xgboost',
        'lightgbm', 'mean_of_two',
    ]) }}
{%- endmacro %}

{#- Hash of the settings that a fit may depend on. Only those stand aside that say which
    day it is, who is scored and what becomes of a fit, so that a setting that is added
    counts until somebody knows better. -#}
{% macro learning_settings_hash() -%}
    {%- set aside = [
        'score_date', 'fit_now', 'retrain_after_days', 'model_threads', 'min_auc',
        'min_auc_policy', 'approval', 'canary_share', 'prediction_features_kept_days',
        'reasons_share', 'daily_dates_kept_days', 'grid_dates_count', 'replace_changed_files',
        'pseudonymise', 'purchase_model', 'pareto_nbd', 'annual_discount_rate', 'gross_margin',
        'bootstrap_draws', 'demo_size', 'demo_seed', 'demo_shocks', 'enrichment',
        'least_completeness',
    ] -%}
    {{ return(perennial.hash_of_settings(aside)) }}
{%- endmacro %}

{#- Takes away the features of scores that are older than the setting says. -#}
{% macro forget_old_features() -%}
    {%- set clock = '(select score_date from ' ~ ref('int_score_date') ~ ')' -%}
    {%- set kept_days = perennial.setting('prediction_features_kept_days') -%}
    delete from {{ this }}
    where
        {{ perennial.is_past('as_of_date', clock) }}
        and not ({{ perennial.is_recent('as_of_date', clock, kept_days) }})
{%- endmacro %}

{#- The bands of each task, each from its least probability up to that of the next one;
    place 1 is the highest. -#}
{% macro bands_by_probability() -%}
    select
        task,
        risk_band,
        least_probability,
        coalesce(
            lead(least_probability) over (
                partition by task
                order by least_probability
            ),
            2
        ) as next_least_probability,
        row_number() over (
            partition by task
            order by least_probability desc
        ) as place

    from {{ ref('risk_bands') }}
{%- endmacro %}

{#- Drops what dbt leaves beside an incremental Python model: the table that its new rows
    came in, under a name with a time. -#}
{% macro drop_leftovers() -%}
    {%- if execute -%}
        {%- set found = run_query(
            "select table_schema, table_name from information_schema.tables"
            ~ " where starts_with(table_name, '" ~ this.identifier ~ "__dbt_tmp')"
        ) -%}
        {%- for row in found.rows -%}
            drop table if exists "{{ row[0] }}"."{{ row[1] }}";
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
