{#- Text to a type, or NULL where the text is not exactly of the declared form: the
    forgiving casts of the engine would round 1.005 and read 1997011 as a day. -#}

{% macro parsed_money(text) -%}
    {{ perennial.parsed_decimal(text, 18, 2) }}
{%- endmacro %}

{#- Text of a number as a person writes it, without a currency sign and without what
    stands between thousands. Only a mark before three digits does: 12,50 keeps its comma
    where commas are between thousands, and is then no number. -#}
{% macro plain_number(text, decimal_comma=false) -%}
    {%- set unsigned -%} regexp_replace({{ text }}, '[$€£¥ ]', '', 'g') {%- endset -%}
    {%- if decimal_comma -%}
        replace(
            regexp_replace({{ unsigned }}, '[.]([0-9][0-9][0-9])', '\1', 'g'), ',', '.'
        )
    {%- else -%}
        regexp_replace({{ unsigned }}, ',([0-9][0-9][0-9])', '\1', 'g')
    {%- endif -%}
{%- endmacro %}

{% macro parsed_decimal(text, precision, scale) -%}
    case
        when
            regexp_full_match(
                {{ text }},
                '[-+]?[0-9]{1,{{ precision - scale }}}([.][0-9]{1,{{ scale }}})?'
            )
            then try_cast({{ text }} as decimal({{ precision }}, {{ scale }}))
    end
{%- endmacro %}

{#- The commonest form first: digits that the engine writes just as they came. -#}
{% macro parsed_integer(text, data_type='bigint') -%}
    case
        when cast(try_cast({{ text }} as {{ data_type }}) as varchar) = {{ text }}
            then try_cast({{ text }} as {{ data_type }})
        when regexp_full_match({{ text }}, '[-+]?[0-9]{1,19}')
            then try_cast({{ text }} as {{ data_type }})
    end
{%- endmacro %}

{% macro parsed_double(text) -%}
    case
        when isfinite(try_cast({{ text }} as double))
            then try_cast({{ text }} as double)
    end
{%- endmacro %}

{% macro parsed_boolean(text) -%}
    case
        when lower({{ text }}) in ('true', 't', 'yes', '1') then true
        when lower({{ text }}) in ('false', 'f', 'no', '0') then false
    end
{%- endmacro %}

{% macro parsed_day(text) -%}
    case
        when regexp_full_match({{ text }}, '[0-9]{8}')
            then {{ perennial.start_of_day("try_strptime(" ~ text ~ ", '%Y%m%d')") }}
    end
{%- endmacro %}

{#- A time in UTC. Without a format the text is ISO 8601; with an offset it says itself
    when it was, without one it is of the declared zone, and a mere day begins at
    midnight of the business zone. A format is one of strptime's, and only it counts. -#}
{% macro parsed_time(text, format=none) -%}
    {%- if format -%}
        {%- set zoned = perennial.utc_of("try_strptime(" ~ text ~ ", '" ~ format ~ "')") -%}
        {{ zoned if '%H' in format or '%I' in format
            else perennial.start_of_day("try_strptime(" ~ text ~ ", '" ~ format ~ "')") }}
    {%- else -%}
    {#- the commonest form first, and without a regular expression: digits are asked for
        where the cast would take something else #}
    case
        when {{ text }} glob '[0-9]???-??-?[0-9] [0-9]?:??:?[0-9]'
            then {{ perennial.utc_of("try_cast(" ~ text ~ " as timestamp)") }}
        when
            regexp_full_match(
                {{ text }},
                '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?'
            )
            then {{ perennial.utc_of("try_cast(" ~ text ~ " as timestamp)") }}
        when regexp_full_match({{ text }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}')
            then {{ perennial.start_of_day("try_cast(" ~ text ~ " as timestamp)") }}
        when
            regexp_full_match(
                {{ text }},
                '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?'
                || ' ?(Z|[-+](0[0-9]|1[0-4])(:?[0-5][0-9])?)'
            )
            then {{ perennial.zoned_time(text) }}
    end
    {%- endif -%}
{%- endmacro %}

{#- A time with its offset in UTC. The engine wants seconds, and no blank before an
    offset; what lacks them or has one is mended, where a plain cast did not do. -#}
{% macro zoned_time(text) -%}
    coalesce(
        try_cast({{ text }} as timestamptz),
        try_cast(
            regexp_replace(
                regexp_replace({{ text }}, ' ([-+Z])', '\1'),
                '^(.{16})([-+Z])',
                '\1:00\2'
            ) as timestamptz
        )
    ) at time zone 'UTC'
{%- endmacro %}

{#- Text of a raw column as the type that its source declares for it. -#}
{% macro parsed(text, data_type, time_format=none) -%}
    {%- set type = data_type | lower | replace(' ', '') -%}
    {%- set decimal = modules.re.fullmatch('decimal\\(([0-9]+),([0-9]+)\\)', type) -%}
    {%- if type == 'varchar' -%} {{ text }}
    {%- elif type == 'timestamp' -%} {{ perennial.parsed_time(text, time_format) }}
    {%- elif type == 'boolean' -%} {{ perennial.parsed_boolean(text) }}
    {%- elif type == 'double' -%} {{ perennial.parsed_double(text) }}
    {%- elif type in ['bigint', 'integer'] -%} {{ perennial.parsed_integer(text, type) }}
    {%- elif decimal -%}
        {{ perennial.parsed_decimal(text, decimal.group(1) | int, decimal.group(2) | int) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "A raw column is declared as " ~ data_type ~ ", and must be varchar, "
            ~ "timestamp, boolean, bigint, integer, double or decimal(p, s)."
        ) }}
    {%- endif -%}
{%- endmacro %}
