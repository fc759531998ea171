{#- Money: exact, to the cent. Sums of it are exact whatever the threads. -#}
{% macro money() -%} decimal(18, 2) {%- endmacro %}

{#- A prediction before it is added up: sums of it are exact, doubles' are not. -#}
{% macro prediction() -%} decimal(18, 6) {%- endmacro %}

{#- The square of a prediction, exact: one digit more keeps the product from overflowing. -#}
{% macro squared(value) -%}
    cast({{ value }} as decimal(19, 6)) * cast({{ value }} as decimal(19, 6))
{%- endmacro %}
