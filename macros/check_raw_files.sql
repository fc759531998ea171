{#- Opens the raw files before any model is built: naming a source makes the plugin
    read it, and a file that cannot be used stops the run here with one line. Not where
    dbt only compiles: there all nodes are rendered at once, and a source that is read
    twice at the same time is a conflict. -#}
{% macro check_raw_files() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
        {%- if var('connector') == 'cdnow' -%}
            {%- do source('cdnow', 'purchase_log') -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
