-- Grain: one row per horizon_days, as_of_date and feature.
-- A feature that knows too much, or comes and goes: what to look at before a model is
-- trusted. Few customers make any feature look too good, so a verdict needs thirty, and
-- values are judged where thirty have one.

{%- set least_customers = 30 %}

with

audit as (

    select * from {{ ref('eval_leaks') }}

),

served as (

    select
        horizon_days,
        as_of_date,
        feature_name,
        auc

    from audit

    where audited_for = 'serving' and not is_clock_feature

),

churned as (

    select
        audit.horizon_days,
        audit.as_of_date,
        audit.feature_name,
        audit.is_clock_feature,
        audit.rows_count,
        audit.positives_count as churned_count,
        audit.auc,
        audit.missing_auc,
        audit.valued_count,
        greatest(
            case
                when audit.valued_count >= {{ least_customers }}
                    then greatest(audit.auc, 1 - audit.auc)
            end,
            audit.missing_auc,
            1 - audit.missing_auc
        ) as separation,
        audit.rank_correlation,
        audit.mutual_information,
        audit.null_rate,
        audit.null_rate - lag(audit.null_rate) over (
            partition by audit.horizon_days, audit.feature_name
            order by audit.as_of_date asc
        ) as null_rate_change,
        greatest(served.auc, 1 - served.auc) as serving_separation

    from audit

    left join served
        on audit.horizon_days = served.horizon_days
        and audit.as_of_date = served.as_of_date
        and audit.feature_name = served.feature_name

    where audit.audited_for = 'churn'

),

judged as (

    select
        horizon_days,
        as_of_date,
        feature_name,
        is_clock_feature,
        rows_count,
        churned_count,
        auc,
        valued_count,
        missing_auc,
        separation,
        rank_correlation,
        mutual_information,
        null_rate,
        null_rate_change,
        serving_separation,
        case
            when
                churned_count < {{ least_customers }}
                or rows_count - churned_count < {{ least_customers }}
                then 'too_few_customers'
            when separation > 0.95 then 'knows_too_much'
            when separation > 0.90 then 'suspicious'
            when abs(null_rate_change) > 0.20 then 'comes_and_goes'
            else 'unsuspicious'
        end as verdict

    from churned

)

select * from judged
