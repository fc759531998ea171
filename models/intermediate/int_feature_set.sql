-- Grain: one row.
-- What a row of features was made with. It changes with the name, window or unit of a
-- feature, with the SQL that makes it, with weights, key actions and rules, and with
-- nothing that is said about a feature. Rows of another set are made anew.

{{ config(materialized='table') }}

with

catalogue as (

    select
        string_agg(
            concat_ws(' ', feature_name, coalesce(window_days, 0), unit), ','
            order by feature_name
        ) as words

    from {{ ref('feature_catalogue') }}

),

weights as (

    select
        string_agg(
            concat_ws(' ', module, weight, is_core), ','
            order by module
        ) as words

    from {{ ref('module_weights') }}

),

actions as (

    select string_agg(event_name, ',' order by event_name) as words

    from {{ ref('key_actions') }}

),

rules as (

    select
        string_agg(
            concat_ws(' ', rule_number, stage, feature_name, operator, value), ','
            order by rule_number, feature_name, operator, value
        ) as words

    from {{ ref('lifecycle_rules') }}

),

feature_set as (

    select
        md5(
            concat_ws(
                ';',
                catalogue.words,
                weights.words,
                actions.words,
                rules.words,
                '{{ feature_sql_hash() }}'
            )
        ) as feature_set_version

    from catalogue

    cross join weights

    cross join actions

    cross join rules

)

select * from feature_set
