-- Grain: one row per raw table that a source declares to lie in files.
-- What the `__sources.yml` of the connector say, as rows that the reading step can see.

{{ config(materialized='table') }}

{#- The files of the demo company are made before anybody looks for them. -#}
{% if var('connector') == 'demo' -%}
    {{ stop_at_faulty_files(ref('demo_files')) }}
{%- endif %}

{#- `perennial build --replace` says so for one run. -#}
{%- set is_replacing = env_var('PERENNIAL_REPLACE_CHANGED_FILES', 'false') == 'true'
    or setting('replace_changed_files') %}
{%- set declared = declared_files() if execute else [] %}

-- noqa: disable=LT02
{% for table in declared %}
select
    {{ text_literal(table['name']) }} as source_table,
    {{ text_literal(tojson(table)) }} as declaration,
    {{ text_literal(setting('business_time_zone')) }} as business_time_zone,
    {{ is_replacing }} as is_replacing_changed_files,
    {{ flags.FULL_REFRESH }} as is_full_refresh
{{ 'union all' if not loop.last }}
{% else %}
select
    cast(null as varchar) as source_table,
    cast(null as varchar) as declaration,
    cast(null as varchar) as business_time_zone,
    cast(null as boolean) as is_replacing_changed_files,
    cast(null as boolean) as is_full_refresh

where false
{% endfor %}
