-- Grain: one row per line of the CDNOW log, which is one purchase.
-- Names, types and units become ours here. Nothing is joined or dropped.

{{ config(enabled=(var('connector') == 'cdnow')) }}

{#- The sample log carries a number of its own between customer and date. -#}
{% set own_number = '[^ ]+ +' if setting('cdnow_log') == 'sample' else '' %}
{% set line = '^ *([^ ]+) +' ~ own_number ~ '([^ ]+) +([^ ]+) +([^ ]+) *$' %}

with

raw_lines as (

    select
        source_file,
        source_line,
        source_text,
        is_utf8

    from {{ source('cdnow', 'purchase_log') }}

),

split as (

    select
        source_file,
        source_line,
        source_text,
        is_utf8,
        nullif(regexp_extract(source_text, '{{ line }}', 1), '') as customer_text,
        nullif(regexp_extract(source_text, '{{ line }}', 2), '') as date_text,
        nullif(regexp_extract(source_text, '{{ line }}', 3), '') as cd_count_text,
        nullif(regexp_extract(source_text, '{{ line }}', 4), '') as amount_text

    from raw_lines

),

renamed as (

    select
        -- keys: the log has none, so a purchase is named after its line
        source_file || ':' || source_line as order_id,
        customer_text as customer_id,

        -- measures
        try_cast(cd_count_text as bigint) as cd_count,
        {{ parsed_money('amount_text') }} as amount,

        -- times: the log knows days only
        {{ parsed_day('date_text') }} as ordered_at,

        -- as delivered
        source_file,
        source_line,
        source_text,
        case
            when trim(source_text) = '' then 'empty_line'
            when regexp_matches(source_text, '[\x00-\x08\x0E-\x1F\x7F]')
                then 'control_character'
            when not is_utf8 then 'unreadable_character'
            when customer_text is null then 'unreadable_line'
            when {{ parsed_day('date_text') }} is null then 'unreadable_ordered_at'
            when {{ parsed_money('amount_text') }} is null then 'unreadable_amount'
        end as row_fault

    from split

)

select * from renamed
