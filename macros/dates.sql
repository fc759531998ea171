{#- Dates and whole days, spelled once because engines spell them apart. -#}

{% macro days_after(date, days) -%}
    cast({{ date }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{% macro days_between(first_date, last_date) -%}
    date_diff('day', {{ first_date }}, {{ last_date }})
{%- endmacro %}

{#- Every day from the first to the last, a row each. -#}
{% macro each_day(first_date, last_date) -%}
    cast(
        unnest(generate_series({{ first_date }}, {{ last_date }}, interval 1 day)) as date
    )
{%- endmacro %}

{#- First day of the month that a day lies in. -#}
{% macro month_of(date) -%}
    cast(date_trunc('month', {{ date }}) as date)
{%- endmacro %}

{% macro months_between(first_month, last_month) -%}
    date_diff('month', {{ first_month }}, {{ last_month }})
{%- endmacro %}

{#- Months that are over from one day to another: a month from the 31st is over on the
    last day of a shorter one. -#}
{% macro whole_months(first_date, last_date) -%}
    date_sub('month', {{ first_date }}, {{ last_date }})
{%- endmacro %}

{% macro date_literal(iso_date) -%}
    cast('{{ iso_date }}' as date)
{%- endmacro %}

{#- A time of the declared zone in UTC. In the hour that summer time skips it is taken
    to be standard time, in the hour that comes twice the second one. -#}
{% macro utc_of(local_time) -%}
    {%- set zone = perennial.setting('source_time_zone') -%}
    {%- if zone == 'UTC' -%} {{ local_time }}
    {%- else -%} timezone('UTC', timezone('{{ zone }}', {{ local_time }}))
    {%- endif -%}
{%- endmacro %}

{#- Midnight of the business zone in UTC, where only a day is known. -#}
{% macro start_of_day(local_midnight) -%}
    {%- set zone = perennial.setting('business_time_zone') -%}
    {%- if zone == 'UTC' -%} {{ local_midnight }}
    {%- else -%} timezone('UTC', timezone('{{ zone }}', {{ local_midnight }}))
    {%- endif -%}
{%- endmacro %}

{#- The day of a UTC time, cut in the business zone. -#}
{% macro business_day(utc_time) -%}
    {%- set zone = perennial.setting('business_time_zone') -%}
    {%- if zone == 'UTC' -%} cast({{ utc_time }} as date)
    {%- else -%}
        cast(timezone('{{ zone }}', timezone('UTC', {{ utc_time }})) as date)
    {%- endif -%}
{%- endmacro %}
