{#- The only two comparisons with an as_of_date in the project. As of D means as
    known at the end of day D: the past holds D itself, the future starts on the
    day after it. -#}

{% macro is_past(day, as_of_date) -%}
    {{ day }} <= {{ as_of_date }}
{%- endmacro %}

{% macro is_future(day, as_of_date, horizon_days) -%}
    {{ day }} > {{ as_of_date }}
    and {{ day }} <= {{ perennial.days_after(as_of_date, horizon_days) }}
{%- endmacro %}

{#- True once every day of the window after as_of_date has been seen. -#}
{% macro is_over(as_of_date, horizon_days, score_date) -%}
    {{ perennial.days_after(as_of_date, horizon_days) }} <= {{ score_date }}
{%- endmacro %}

{#- The last `window_days` days up to and including as_of_date. -#}
{% macro is_recent(day, as_of_date, window_days) -%}
    {{ perennial.is_past(day, as_of_date) }}
    and {{ perennial.days_between(day, as_of_date) }} < {{ window_days }}
{%- endmacro %}

{#- True for a row that told, at the end of as_of_date, how things were: it was known by
    then, and nothing newer was. -#}
{% macro is_known(known_date, told_again_date, as_of_date) -%}
    {{ perennial.is_past(known_date, as_of_date) }}
    and (
        {{ told_again_date }} is null
        or not {{ perennial.is_past(told_again_date, as_of_date) }}
    )
{%- endmacro %}

{#- How many days before the first order and event features can still look back to. -#}
{% macro days_before_the_data() -%}
    {{ return(365) }}
{%- endmacro %}
