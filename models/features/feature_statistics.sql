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
{%- set quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] %}
{#- Quantiles hold a column in memory, so they are of so many rows at most. -#}
{%- set quantile_rows = 50000 %}

with

training_sets as (

    select
        horizon_days,
        origin_date,
        max(as_of_date) as last_training_date

    from {{ ref('model_splits') }}

    where
        role = 'train'
        and task = 'purchases'

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

    where
        splits.role = 'train'
        and splits.task = 'purchases'

),

training_rows_counts as (

    select
        training_dates.last_training_date,
        count(*) as rows_count

    from training_dates

    inner join {{ ref('feat_customers') }} as customers
        on training_dates.as_of_date = customers.as_of_date
        and training_dates.feature_set_version = customers.feature_set_version

    group by training_dates.last_training_date

),

training_rows as not materialized (

    select
        training_dates.last_training_date,
        {% for feature in features -%}
            cast(store.{{ feature }} as double) as {{ feature }},
        {% endfor -%}
        hash(store.customer_id) % (
            1 + training_rows_counts.rows_count // {{ quantile_rows }}
        ) = 0 as is_sampled

    from training_dates

    inner join training_rows_counts
        on training_dates.last_training_date = training_rows_counts.last_training_date

    inner join {{ ref('feature_store') }} as store
        on training_dates.as_of_date = store.as_of_date
        and training_dates.feature_set_version = store.feature_set_version

),

-- a feature beside the other, which is many times faster than one under the other
totals as (

    select
        last_training_date,
        {% for feature in features -%}
            count({{ feature }}) as {{ feature }}_values,
            cast(sum(try_cast({{ feature }} as decimal(18, 6))) as double)
            / count({{ feature }}) as {{ feature }}_mean,
            min({{ feature }}) as {{ feature }}_smallest,
            max({{ feature }}) as {{ feature }}_largest,
            quantile_disc({{ feature }}, {{ quantiles }}) filter (where is_sampled)
                as {{ feature }}_quantiles,
        {% endfor -%}
        count(*) as rows_count

    from training_rows

    group by last_training_date

),

-- measured in ranges of the feature, so that no sum of powers can grow too large
deviations as not materialized (

    select
        {% for feature in features -%}
            (training_rows.{{ feature }} - totals.{{ feature }}_mean)
            / nullif(totals.{{ feature }}_largest - totals.{{ feature }}_smallest, 0)
                as {{ feature }},
        {% endfor -%}
        training_rows.last_training_date

    from training_rows

    inner join totals
        on training_rows.last_training_date = totals.last_training_date

),

moments as (

    select
        {% for feature in features -%}
            cast(sum(cast(power({{ feature }}, 2) as decimal(18, 15))) as double)
            / count({{ feature }}) as {{ feature }}_variance,
            cast(sum(cast(power({{ feature }}, 3) as decimal(18, 15))) as double)
            / count({{ feature }}) as {{ feature }}_third_moment,
        {% endfor -%}
        last_training_date

    from deviations

    group by last_training_date

),

by_feature as (

    select
        totals.last_training_date,
        totals.rows_count,
        unnest([
            {% for feature in features -%}
                struct_pack(
                    feature_name := '{{ feature }}',
                    values_count := totals.{{ feature }}_values,
                    mean := totals.{{ feature }}_mean,
                    smallest := totals.{{ feature }}_smallest,
                    largest := totals.{{ feature }}_largest,
                    quantiles := totals.{{ feature }}_quantiles,
                    variance := moments.{{ feature }}_variance,
                    third_moment := moments.{{ feature }}_third_moment
                ){{ ',' if not loop.last }}
            {% endfor -%}
        ]) as of_feature

    from totals

    inner join moments
        on totals.last_training_date = moments.last_training_date

),

told as (

    select
        last_training_date,
        rows_count,
        unnest(of_feature)  -- noqa: AL03

    from by_feature

),

statistics as (

    select
        new_sets.feature_set_version,
        new_sets.last_training_date,
        told.feature_name,
        told.rows_count,
        1 - cast(told.values_count as double) / told.rows_count
            as null_rate,
        told.mean,
        case
            when told.values_count > 0
                then
                    coalesce(
                        sqrt(told.variance)
                        * (told.largest - told.smallest),
                        0
                    )
        end as standard_deviation,
        told.third_moment / nullif(power(told.variance, 1.5), 0)
            as skewness,
        told.smallest,
        {% for quantile in quantiles -%}
            told.quantiles[{{ loop.index }}]
                as quantile_{{ '%02d' | format(quantile * 100) }},
        {% endfor -%}
        told.largest

    from told

    inner join new_sets
        on told.last_training_date = new_sets.last_training_date

)

select * from statistics
