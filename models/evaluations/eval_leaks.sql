-- Grain: one row per audited_for, horizon_days, as_of_date and feature.
-- How well one feature alone tells apart who left from who stayed, and the rows that
-- are scored from those that models learn from. Exact from counts: the area under the
-- curve is a share of pairs, ties count half. Of at most so many customers per date.

{%- set features = numeric_features() %}
{%- set sampled_customers, bins_count = 20000, 10 %}

with

training_dates as (

    select distinct
        horizon_days,
        as_of_date

    from {{ ref('model_splits') }}

    where role = 'train'

),

outcomes as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        is_churned

    from {{ ref('outcome_churn') }}

    where is_in_scope

),

learned_from as (

    select
        'churn' as audited_for,
        outcomes.horizon_days,
        outcomes.as_of_date,
        outcomes.as_of_date as feature_date,
        outcomes.customer_id,
        outcomes.is_churned as is_positive

    from outcomes

    inner join training_dates
        on outcomes.as_of_date = training_dates.as_of_date
        and outcomes.horizon_days = training_dates.horizon_days

    where outcomes.is_churned is not null

),

newest_dates as (

    select
        training_dates.horizon_days,
        max(training_dates.as_of_date) as as_of_date,
        max(clock.score_date) as score_date

    from training_dates

    cross join {{ ref('int_score_date') }} as clock

    group by training_dates.horizon_days

),

-- the newest date of training beside the date that is scored
served as (

    select
        'serving' as audited_for,
        newest_dates.horizon_days,
        newest_dates.as_of_date,
        outcomes.as_of_date as feature_date,
        outcomes.customer_id,
        outcomes.as_of_date = newest_dates.score_date as is_positive

    from newest_dates

    inner join outcomes
        on newest_dates.horizon_days = outcomes.horizon_days
        and outcomes.as_of_date in (newest_dates.as_of_date, newest_dates.score_date)

),

audited as (

    select * from learned_from

    union all

    select * from served

),

sizes as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        1 + count(*) // {{ sampled_customers }} as step

    from audited

    group by audited_for, horizon_days, as_of_date

),

features as (

    select
        audited.audited_for,
        audited.horizon_days,
        audited.as_of_date,
        audited.is_positive,
        unnest([
            {% for feature in features -%}
                struct_pack(
                    feature_name := '{{ feature }}',
                    feature_value := cast(store.{{ feature }} as double)
                ){{ ',' if not loop.last }}
            {% endfor -%}
        ]) as feature

    from audited

    inner join sizes
        on audited.audited_for = sizes.audited_for
        and audited.horizon_days = sizes.horizon_days
        and audited.as_of_date = sizes.as_of_date

    inner join {{ ref('feature_store') }} as store
        on audited.customer_id = store.customer_id
        and audited.feature_date = store.as_of_date

    where hash(audited.customer_id) % sizes.step = 0

),

told as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        is_positive,
        unnest(feature)  -- noqa: AL03

    from features

),

value_counts as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        feature_name,
        feature_value,
        feature_value is null as is_missing,
        count(*) filter (where is_positive) as positives,
        count(*) filter (where not is_positive) as negatives

    from told

    group by
        audited_for,
        horizon_days,
        as_of_date,
        feature_name,
        feature_value

),

ranked as (

    select
        *,
        coalesce(sum(negatives) over below, 0) as negatives_below,
        coalesce(sum(positives + negatives) over below, 0) as rows_below,
        sum(positives + negatives) over alike as rows_count

    from value_counts

    window
        below as (
            partition by
                audited_for, horizon_days, as_of_date, feature_name, is_missing
            order by feature_value asc
            rows between unbounded preceding and 1 preceding
        ),
        alike as (
            partition by
                audited_for, horizon_days, as_of_date, feature_name, is_missing
        )

),

sums as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        feature_name,
        sum(positives) as positives,
        sum(negatives) as negatives,
        coalesce(sum(positives) filter (where is_missing), 0) as missing_positives,
        coalesce(sum(negatives) filter (where is_missing), 0) as missing_negatives,
        -- twice the pairs in which the one who left has the larger value
        sum(positives * (2 * negatives_below + negatives)) filter (
            where not is_missing
        ) as pairs_twice,
        -- twice the distance of a middle rank from the mean of ranks, squared
        sum(
            cast(positives + negatives as hugeint)
            * cast(2 * rows_below + positives + negatives - rows_count as hugeint)
            * cast(2 * rows_below + positives + negatives - rows_count as hugeint)
        ) filter (where not is_missing) as spread

    from ranked

    group by audited_for, horizon_days, as_of_date, feature_name

),

-- equal values stay together, and what is missing is a bin of its own
bins as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        feature_name,
        case
            when not is_missing
                then cast(floor({{ bins_count }} * rows_below / rows_count) as integer)
        end as bin_number,
        sum(positives) as positives,
        sum(negatives) as negatives

    from ranked

    group by audited_for, horizon_days, as_of_date, feature_name, bin_number

),

shares as (

    select
        bins.audited_for,
        bins.horizon_days,
        bins.as_of_date,
        bins.feature_name,
        {% for class in ['positives', 'negatives'] -%}
            case
                when bins.{{ class }} > 0
                    then
                        cast(bins.{{ class }} as double)
                        / (sums.positives + sums.negatives)
                        * ln(
                            cast(bins.{{ class }} as double)
                            * (sums.positives + sums.negatives)
                            / (
                                cast(bins.positives + bins.negatives as double)
                                * sums.{{ class }}
                            )
                        )
                else 0
            end {{ '+' if not loop.last else 'as information' }}
        {% endfor %}

    from bins

    inner join sums
        on bins.audited_for = sums.audited_for
        and bins.horizon_days = sums.horizon_days
        and bins.as_of_date = sums.as_of_date
        and bins.feature_name = sums.feature_name

),

informations as (

    select
        audited_for,
        horizon_days,
        as_of_date,
        feature_name,
        sum(cast(information as decimal(18, 12))) as mutual_information

    from shares

    group by audited_for, horizon_days, as_of_date, feature_name

),

measured as (

    select
        *,
        positives - missing_positives as valued_positives,
        negatives - missing_negatives as valued_negatives

    from sums

),

audit as (

    select
        measured.audited_for,
        cast(measured.horizon_days as bigint) as horizon_days,
        measured.as_of_date,
        measured.feature_name,
        catalogue.is_clock_feature,
        cast(measured.positives + measured.negatives as bigint) as rows_count,
        cast(measured.positives as bigint) as positives_count,
        -- of the class that fewer of those with a value belong to
        cast(least(measured.valued_positives, measured.valued_negatives) as bigint)
            as valued_count,
        {{ ratio(
            'measured.missing_positives + measured.missing_negatives',
            '(measured.positives + measured.negatives)'
        ) }} as null_rate,
        {{ ratio(
            'measured.pairs_twice',
            '(2 * measured.valued_positives * measured.valued_negatives)'
        ) }} as auc,
        {{ ratio(
            'measured.missing_positives * measured.negatives'
            ~ ' - measured.missing_negatives * measured.positives'
            ~ ' + measured.positives * measured.negatives',
            '(2 * measured.positives * measured.negatives)'
        ) }} as missing_auc,
        round(
            (
                cast(measured.pairs_twice as double)
                / nullif(2 * measured.valued_positives * measured.valued_negatives, 0)
                - 0.5
            )
            * sqrt(
                cast(measured.valued_positives * measured.valued_negatives as double)
            )
            / nullif(
                sqrt(
                    cast(measured.spread as double)
                    / (4 * (measured.valued_positives + measured.valued_negatives))
                ),
                0
            ),
            6
        ) as rank_correlation,
        round(cast(informations.mutual_information as double), 6)
            as mutual_information

    from measured

    inner join informations
        on measured.audited_for = informations.audited_for
        and measured.horizon_days = informations.horizon_days
        and measured.as_of_date = informations.as_of_date
        and measured.feature_name = informations.feature_name

    inner join {{ ref('feature_catalogue') }} as catalogue
        on measured.feature_name = catalogue.feature_name

)

select * from audit
