-- Grain: one row per as_of_date, model_name and parameter_name.
-- What was learned, as rows that anyone can read, also where a guard refused it.

with

fits as (

    select * from {{ ref('fit_clv') }}

),

parameters as (

    select
        as_of_date,
        model_name,
        parameter_name,
        estimate,
        standard_error,
        log_likelihood,
        customers_count,
        repeat_customers_count,
        fit_status,
        fit_note,
        amount_correlation,
        library_version

    from fits

)

select * from parameters
