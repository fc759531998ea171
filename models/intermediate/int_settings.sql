-- Grain: one row.
-- The settings that Python models, tests and the command line need, checked, as a table
-- they can read.

select
    cast({{ setting('minimum_repeat_customers') }} as bigint)
        as minimum_repeat_customers,
    cast({{ setting('model_threads') }} as bigint) as model_threads,
    cast({{ setting('model_seed') }} as bigint) as model_seed,
    cast({{ setting('search_trials') }} as bigint) as search_trials,
    cast({{ setting('value_search_trials') }} as bigint) as value_search_trials,
    cast({{ setting('hiatus_days') }} as bigint) as hiatus_days,
    '{{ setting('training_population') }}' as training_population,
    cast({{ setting('min_auc') }} as double) as min_auc,
    '{{ setting('min_auc_policy') }}' as min_auc_policy,
    '{{ setting('purchase_model') }}' as purchase_model,
    {{ setting('pareto_nbd') | lower }} as pareto_nbd,
    cast({{ setting('annual_discount_rate') }} as double) as annual_discount_rate,
    cast({{ setting('gross_margin') }} as double) as gross_margin,
    cast({{ setting('least_completeness') }} as double) as least_completeness,
    '{{ setting('business_time_zone') }}' as business_time_zone,
    '{{ settings_of_marts_hash() }}' as settings_hash
