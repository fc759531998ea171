{#- Before the first model: from here on SQL reads and writes files only where a source
    says that they lie, or a seed is; it fetches no code, attaches no database, and cannot
    turn this off. What profiles.yml attached is open already. `perennial build` asks for
    it; where nobody does, not a word of this is said to the engine. -#}
{% macro lock_down() -%}
    {%- if execute and perennial.is_locking_down() -%}
        {%- set declared = perennial.declared_files() | map(attribute='files') | list -%}
        {%- for seed in graph.nodes.values() if seed.resource_type == 'seed' -%}
            {%- do declared.append(seed.root_path ~ '/' ~ seed.original_file_path) -%}
        {%- endfor -%}
        set global allowed_directories = {{ perennial.places(declared, 'folder') }};
        set global allowed_paths = {{ perennial.places(declared, 'file') }};
        set global enable_external_access = false;
        set global lock_configuration = true;
    {%- endif -%}
{%- endmacro %}

{% macro is_locking_down() -%}
    {%- set asked = env_var('PERENNIAL_LOCK_DOWN', 'false') -%}
    {%- if asked not in ['true', 'false'] -%}
        {{ exceptions.raise_compiler_error(
            "PERENNIAL_LOCK_DOWN is " ~ perennial.shown(asked)
            ~ ", and must be true or false."
        ) }}
    {%- endif -%}
    {{ return(asked == 'true') }}
{%- endmacro %}

{#- Folders or single files that declarations name, as a list of literals. Only Python
    knows where a package and somebody's home folder lie. -#}
{% macro places(declared, kind) -%}
    {%- set found = [] -%}
    {%- for files in declared -%}
        {%- set place = run_query(
            "select perennial_place(" ~ perennial.text_literal(files) ~ ")"
        ).columns[0][0] -%}
        {%- do found.append(perennial.text_literal(place))
            if place and place.endswith('/') == (kind == 'folder') -%}
    {%- endfor -%}
    [{{ found | unique | join(', ') }}]
{%- endmacro %}
