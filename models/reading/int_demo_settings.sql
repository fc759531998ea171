-- Grain: one row.
-- Which demo company the settings ask for, and where its files lie, for the step that
-- makes them. NULL asks for none in particular.

{{ config(materialized='table', enabled=(var('connector') == 'demo')) }}

{%- set folder = env_var(
    'PERENNIAL_DEMO_FOLDER', env_var('PERENNIAL_HOME', '.') ~ '/demo'
) %}
{%- set size, seed, shocks =
    setting('demo_size'), setting('demo_seed'), setting('demo_shocks') %}

select
    {{ text_literal(folder) }} as folder,
    cast({{ 'null' if size is none else text_literal(size) }} as varchar)
        as demo_size,
    cast({{ 'null' if seed is none else seed }} as bigint) as demo_seed,
    cast(
        {{ 'null' if shocks is none else text_literal(shocks | join(' ')) }} as varchar
    ) as demo_shocks
