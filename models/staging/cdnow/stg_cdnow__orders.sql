-- Grain: one row per line of the CDNOW log, which is one purchase.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'cdnow')) }}

{#- The sample log carries a number of its own between customer and date. -#}
{% set own_number = '[^ ]+ +' if setting('cdnow_log') == 'sample' else '' %}
{% set line = '^ *([^ ]+) +' ~ own_number ~ '([^ ]+) +([^ ]+) +([^ ]+) *$' %}

with

raw_lines as (

    select * from {{ raw_rows('cdnow', 'purchase_log') }}

),

split as (

    select
        {{ place_columns() }},
        nullif(regexp_extract(line, '{{ line }}', 1), '') as customer_id,
        nullif(regexp_extract(line, '{{ line }}', 2), '') as day_text,
        nullif(regexp_extract(line, '{{ line }}', 3), '') as cd_count_text,
        nullif(regexp_extract(line, '{{ line }}', 4), '') as amount_text

    from raw_lines

),

typed as (

    select
        *,
        {{ parsed_day('day_text') }} as ordered_at,
        {{ parsed_integer('cd_count_text') }} as cd_count,
        {{ parsed_money('amount_text') }} as amount

    from split

),

renamed as (

    select
        -- keys: the log has none, so a purchase is named after its line
        source_file || ':' || source_line as order_id,
        customer_id,

        -- measures
        cd_count,
        amount,

        -- times: the log knows days only
        ordered_at,

        -- where it stands
        reading_id,
        file_path,
        source_file,
        source_line,
        source_lines_count,
        source_text,
        case
            when row_fault is not null then row_fault
            when customer_id is null then 'unreadable_line'
            when ordered_at is null then 'unreadable_ordered_at'
            when amount is null then 'unreadable_amount'
        end as row_fault

    from typed

)

select * from renamed
