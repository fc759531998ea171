-- Grain: one row per feature set, last training date and feature.
-- What a feature was like in the rows that a model learns from. Written once and never
-- again: who standardises a value at scoring does it with the mean and the standard
-- deviation of training. Sums are exact, so they are the same whatever added them up.

{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail'
) }}

{%- set features = numeric_features() %}
{#- Quantiles hold a column in memory, so that they are of so many rows at most. -#}
{%- set quantile_rows = 200000 %}

with

training_sets as (

    select
        horizon_days,
        origin_date,
        max(as_of_date) as last_training_date

    from {{ ref('model_splits') }}

    where role = 'train'

    group by horizon_days, origin_date

),

-- what ends on one date is one set, whichever origins learn from it
new_sets as (

    select
        training_sets.last_training_date,
        feature_set.feature_set_version,
        min(training_sets.horizon_days) as horizon_days,
        min_by(
            training_sets.origin_date,
            row(training_sets.horizon_days, training_sets.origin_date)
        ) as origin_date

    from training_sets

    cross join {{ ref('int_feature_set') }} as feature_set

    {% if is_incremental() -%}
        anti join {{ this }} as known
            on training_sets.last_training_date = known.last_training_date
            and feature_set.feature_set_version = known.feature_set_version
    {%- endif %}

    group by training_sets.last_training_date, feature_set.feature_set_version

),

training_dates as (

    select
        new_sets.last_training_date,
        new_sets.feature_set_version,
        splits.as_of_date

    from new_sets

    inner join {{ ref('model_splits') }} as splits
        on new_sets.horizon_days = splits.horizon_days
        and new_sets.origin_date = splits.origin_date

    where splits.role = 'train'

),

training_rows as not materialized (

    select
        training_dates.last_training_date,
        training_dates.feature_set_version,
        store.customer_id,
        {% for feature in features -%}
            cast(store.{{ feature }} as double) as {{ feature }},
        {% endfor -%}
        store.as_of_date

    from training_dates

    inner join {{ ref('feature_store') }} as store
        on training_dates.as_of_date = store.as_of_date
        and training_dates.feature_set_version = store.feature_set_version

),

training_values as not materialized (

    select *

    from training_rows

    unpivot include nulls (feature_value for feature_name in ({{ features | join(', ') }}))

),

totals as (

    select
        last_training_date,
        feature_set_version,
        feature_name,
        count(*) as rows_count,
        count(feature_value) as values_count,
        cast(sum(cast(feature_value as decimal(38, 6))) as double)
        / count(feature_value) as mean,
        min(feature_value) as smallest,
        max(feature_value) as largest

    from training_values

    group by last_training_date, feature_set_version, feature_name

),

-- measured in ranges of the feature, so that no sum of powers can grow too large
deviations as not materialized (

    select
        totals.last_training_date,
        totals.feature_set_version,
        totals.feature_name,
        (training_values.feature_value - totals.mean)
        / nullif(totals.largest - totals.smallest, 0) as deviation

    from training_values

    inner join totals
        on training_values.last_training_date = totals.last_training_date
        and training_values.feature_name = totals.feature_name

    where training_values.feature_value is not null

),

moments as (

    select
        last_training_date,
        feature_set_version,
        feature_name,
        cast(sum(cast(power(deviation, 2) as decimal(38, 15))) as double)
        / count(*) as variance,
        cast(sum(cast(power(deviation, 3) as decimal(38, 15))) as double)
        / count(*) as third_moment

    from deviations

    group by last_training_date, feature_set_version, feature_name

),

quantiles as (

    select
        training_values.last_training_date,
        training_values.feature_name,
        quantile_disc(
            training_values.feature_value, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
        ) as quantiles

    from training_values

    inner join totals
        on training_values.last_training_date = totals.last_training_date
        and training_values.feature_name = totals.feature_name
        and hash(training_values.customer_id)
        % (1 + totals.rows_count // {{ quantile_rows }}) = 0

    group by training_values.last_training_date, training_values.feature_name

),

statistics as (

    select
        totals.feature_set_version,
        totals.last_training_date,
        totals.feature_name,
        totals.rows_count,
        1 - cast(totals.values_count as double) / totals.rows_count as null_rate,
        totals.mean,
        case
            when totals.values_count > 0
                then
                    coalesce(
                        sqrt(moments.variance) * (totals.largest - totals.smallest), 0
                    )
        end as standard_deviation,
        moments.third_moment / nullif(power(moments.variance, 1.5), 0) as skewness,
        totals.smallest,
        {% for name in ['01', '05', '25', '50', '75', '95', '99'] -%}
            quantiles.quantiles[{{ loop.index }}] as quantile_{{ name }},
        {% endfor -%}
        totals.largest

    from totals

    left join moments
        on totals.last_training_date = moments.last_training_date
        and totals.feature_name = moments.feature_name

    left join quantiles
        on totals.last_training_date = quantiles.last_training_date
        and totals.feature_name = quantiles.feature_name

)

select * from statistics
