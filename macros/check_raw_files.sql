{#- Opens the raw files before any model is built: naming a source makes the plugin
    read it, and a file that cannot be used stops the run here with one line. -#}
{% macro check_raw_files() -%}
    {%- if execute and var('connector') == 'cdnow' -%}
        {%- do source('cdnow', 'purchase_log') -%}
    {%- endif -%}
{%- endmacro %}
