{#- Text to a type, or NULL where the text is not exactly of the declared form: the
    forgiving casts of the engine would round 1.005 and read 1997011 as a day. -#}

{% macro parsed_money(text) -%}
    case
        when regexp_full_match({{ text }}, '[-+]?[0-9]{1,15}([.][0-9]{1,2})?')
            then try_cast({{ text }} as {{ money() }})
    end
{%- endmacro %}

{% macro parsed_day(text) -%}
    case
        when regexp_full_match({{ text }}, '[0-9]{8}')
            then try_strptime({{ text }}, '%Y%m%d')
    end
{%- endmacro %}
