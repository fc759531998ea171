{#- The input contract, in one place: for each domain its key, the time at which a row
    happened, its columns with their types, which of them a row must have, and what a
    company misses that does not deliver the domain. -#}
{% macro contract(entity) -%}
    {{ return({
        'customers': {
            'key': 'customer_id', 'time': 'signed_up_at', 'required': ['customer_id'],
            'columns': {
                'customer_id': 'varchar', 'signed_up_at': 'timestamp',
                'country': 'varchar', 'acquisition_channel': 'varchar',
                'segment': 'varchar', 'birth_year': 'integer', 'email': 'varchar',
            },
            'absence': 'Who has a row elsewhere is a customer: nobody is known before '
                ~ 'that, and no country, channel, segment or age is.',
        },
        'orders': {
            'key': 'order_id', 'time': 'ordered_at',
            'required': ['order_id', 'customer_id', 'ordered_at', 'amount'],
            'columns': {
                'order_id': 'varchar', 'customer_id': 'varchar',
                'ordered_at': 'timestamp', 'amount': 'decimal(18, 2)',
                'kind': 'varchar', 'category': 'varchar', 'currency': 'varchar',
                'status': 'varchar',
            },
            'absence': 'No purchase features, no customer value from orders, no '
                ~ 'failed payments.',
        },
        'subscriptions': {
            'key': 'subscription_id', 'time': 'started_at',
            'required': ['subscription_id', 'customer_id', 'started_at'],
            'columns': {
                'subscription_id': 'varchar', 'customer_id': 'varchar',
                'started_at': 'timestamp', 'plan': 'varchar',
                'mrr': 'decimal(18, 2)', 'discount_amount': 'decimal(18, 2)',
                'ended_at': 'timestamp', 'contract_ends_at': 'timestamp',
                'cancel_reason': 'varchar', 'is_voluntary': 'boolean',
            },
            'absence': 'No plan, recurring revenue, contract end or cancellation: '
                ~ 'churn can only be read from silence.',
        },
        'events': {
            'key': 'event_id', 'time': 'occurred_at',
            'required': ['event_id', 'customer_id', 'occurred_at', 'event_name'],
            'columns': {
                'event_id': 'varchar', 'customer_id': 'varchar',
                'occurred_at': 'timestamp', 'event_name': 'varchar',
                'session_id': 'varchar', 'duration_seconds': 'bigint',
                'module': 'varchar',
            },
            'absence': 'No product usage: sessions, active days and their decline.',
        },
        'tickets': {
            'key': 'ticket_id', 'time': 'opened_at',
            'required': ['ticket_id', 'customer_id', 'opened_at'],
            'columns': {
                'ticket_id': 'varchar', 'customer_id': 'varchar',
                'opened_at': 'timestamp', 'category': 'varchar',
                'first_response_at': 'timestamp', 'resolved_at': 'timestamp',
                'csat': 'decimal(5, 2)',
            },
            'absence': 'No support: how many tickets, how long they waited, how '
                ~ 'satisfied customers were.',
        },
        'touches': {
            'key': 'touch_id', 'time': 'sent_at',
            'required': ['touch_id', 'customer_id', 'sent_at'],
            'columns': {
                'touch_id': 'varchar', 'customer_id': 'varchar',
                'sent_at': 'timestamp', 'campaign_id': 'varchar',
                'channel': 'varchar', 'is_control': 'boolean',
                'opened_at': 'timestamp', 'clicked_at': 'timestamp',
                'redeemed_at': 'timestamp', 'offer': 'varchar',
            },
            'absence': 'No marketing: no response to campaigns, and no control group '
                ~ 'to tell what a campaign changed.',
        },
    }[entity]) }}
{%- endmacro %}

{#- Columns of the seam: the contract's, and what every row says of its origin. -#}
{% macro delivered_columns(entity) -%}
    {{ return(dict(
        contract(entity)['columns'], loaded_at='timestamp', exclude_reason='varchar',
        reading_id='integer', file_path='varchar',
        source_file='varchar', source_line='bigint', source_lines_count='bigint',
        source_text='varchar', row_fault='varchar'
    )) }}
{%- endmacro %}

{#- Select list of the seam, all NULL: what a connector leaves out is there, typed. -#}
{% macro typed_nulls(entity) -%}
    {%- for column, type in delivered_columns(entity).items() %}
    cast(null as {{ type }}) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Select list of the seam: what a connector delivers, in the types of the contract. -#}
{% macro typed_columns(entity) -%}
    {%- set defaults = {
        'source_file': "'stg_" ~ var('connector') ~ "__" ~ entity ~ "'",
        'source_lines_count': 1,
        'kind': "'purchase'",
    } -%}
    {%- for column, type in delivered_columns(entity).items() %}
    {% if column in defaults -%}
        coalesce(cast({{ column }} as {{ type }}), {{ defaults[column] }})
    {%- else -%}
        cast({{ column }} as {{ type }})
    {%- endif %} as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Text columns of an entity. -#}
{% macro text_columns(entity) -%}
    {%- set texts = [] -%}
    {%- for column, type in contract(entity)['columns'].items() if type == 'varchar' -%}
        {%- do texts.append(column) -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro %}

{#- Branches of a CASE that say what is wrong with a row by itself, in the order in which
    it is told, before the rules of its domain. What a connector sets aside is no fault. -#}
{% macro own_faults(entity) -%}
    {%- set texts = text_columns(entity) -%}
    when row_fault is not null then row_fault
    when exclude_reason is not null then null
    {%- for column in contract(entity)['required'] %}
    when {{ column }} is null {{- " or " ~ is_blank(column) if column in texts }}
        then 'missing_{{ column }}'
    {%- endfor %}
    {#- Text of files was looked at when it was read. To look at each cell of many events
        again takes longer than all the rest, so there only a NUL is looked for. #}
    when
        {%- if entity == 'events' %}
        {%- for column in texts %}
        {{ 'or ' if not loop.first }}contains({{ column }}, chr(0))
        {%- endfor %}
        {%- else %}
        regexp_matches(concat({{ texts | join(', ') }}), '[\x00-\x08\x0E-\x1F\x7F]')
        {%- endif %}
        then 'control_character'
    when
        {%- for column in texts %}
        {{ 'or ' if not loop.first }}{{ is_longer(column, setting('longest_text')) }}
        {%- endfor %}
        then 'too_long'
{%- endmacro %}

{#- Text of nothing but spaces. Only what sorts before the first other character can be
    that, so that nearly no text is trimmed. -#}
{% macro is_blank(text) -%}
    case when {{ text }} < '!' then trim({{ text }}) = '' end
{%- endmacro %}

{#- Text of more characters than that; counting its bytes first takes no time. -#}
{% macro is_longer(text, characters) -%}
    case
        when strlen({{ text }}) > {{ characters }}
            then length({{ text }}) > {{ characters }}
    end
{%- endmacro %}

{#- The day on which a row happened. -#}
{% macro activity_date(entity) -%}
    {{ business_day(contract(entity)['time']) }}
{%- endmacro %}

{#- The last branch: a day after the one on which the file was first read is a lie. -#}
{% macro future_fault(entity) -%}
    when
        {{ activity_date(entity) }} > first_read_date
        or {{ business_day('loaded_at') }} > first_read_date
        then 'future_time'
{%- endmacro %}

{#- When a row became known: when it was loaded, or else on its own day; but a row of a
    late file that happened on a day already scored, on the day after that. -#}
{% macro known_date(entity) -%}
    coalesce(
        {{ business_day('loaded_at') }},
        greatest(
            {{ activity_date(entity) }},
            {{ days_after('last_scored_date', 1) }}
        )
    )
{%- endmacro %}

{#- What a row says apart from its key, to compare rows of one key. -#}
{% macro contents(entity) -%}
    {%- set said = contract(entity)['columns'].keys() | list -%}
    row({{ said | reject('equalto', contract(entity)['key']) | join(', ') }})
{%- endmacro %}

{#- The text of a row that is not used. A table of a database has no lines: there it is
    the row in the form of the contract. Of a person who was erased nothing is told. -#}
{% macro unused_text(entity) -%}
    case
        when reject_reason = 'erased' or reading_id is not null then
            case
                when reject_reason is not null or exclude_reason is not null
                    then source_text
            end
        when reject_reason is not null or exclude_reason is not null
            then coalesce(
                source_text,
                cast(
                    struct_pack(
                        {%- for column in contract(entity)['columns'] %}
                        {{ column }} := {{ column }}{{ ',' if not loop.last }}
                        {%- endfor %}
                    ) as varchar
                )
            )
    end
{%- endmacro %}

{#- Steps from `judged` rows to `settled` ones: copies and conflicts among the usable rows
    of one key, and when a version was superseded. Few keys have several rows, so only
    those are compared. -#}
{% macro settled_steps(entity) -%}
{%- set key = contract(entity)['key'] -%}
{%- set latest = setting('conflicting_duplicates') == 'latest' -%}
{%- set refused = 'is_contested and is_older' if latest else 'is_contested' -%}
{%- set is_usable = 'judged.reject_reason is null and judged.exclude_reason is null' -%}
shared_keys as (

    select {{ key }}

    from {{ ref('int_delivered_' ~ entity) }}

    group by {{ key }}

    having count(*) > 1

),

alone as (

    select judged.*

    from judged

    left join shared_keys
        on judged.{{ key }} = shared_keys.{{ key }}

    where shared_keys.{{ key }} is null or not ({{ is_usable }})

),

sharing as (

    select
        judged.*,
        {{ contents(entity) }} as contents

    from judged

    inner join shared_keys
        on judged.{{ key }} = shared_keys.{{ key }}

    where {{ is_usable }}

),

-- mostly the rows of a key are versions of it, each of its own time
shared_versions as (

    select
        {{ key }},
        loaded_at,
        min(contents) is distinct from max(contents) as is_contested,
        max_by(
            contents, row(first_read_date, source_file, source_line, contents)
        ) as latest_contents

    from sharing

    group by {{ key }}, loaded_at

    having count(*) > 1

),

compared as (

    select
        sharing.*,
        coalesce(shared_versions.is_contested, false) as is_contested,
        sharing.contents
        is distinct from coalesce(shared_versions.latest_contents, sharing.contents)
            as is_older,
        row_number() over (
            partition by sharing.{{ key }}, sharing.loaded_at, sharing.contents
            order by sharing.source_file asc, sharing.source_line asc
        ) as copy_number

    from sharing

    left join shared_versions
        on sharing.{{ key }} = shared_versions.{{ key }}
        and sharing.loaded_at is not distinct from shared_versions.loaded_at

),

ruled as (

    select
        * exclude (contents, is_contested, is_older, copy_number)
        replace (
            case
                when {{ refused }} then 'conflicting_duplicate'
            end as reject_reason,
            case
                when not ({{ refused }}) and copy_number > 1 then 'exact_duplicate'
            end as exclude_reason
        )

    from compared

),

settled as (

    select
        *,
        cast(null as date) as superseded_date

    from alone

    union all by name

    select
        *,
        case
            when reject_reason is null and exclude_reason is null
                then lead(known_date) over (
                    partition by
                        {{ key }}, coalesce(reject_reason, exclude_reason) is null
                    order by loaded_at asc nulls first
                )
        end as superseded_date

    from ruled

)
{%- endmacro %}

{#- The optional columns of an entity in which no accepted row says anything, as text. -#}
{% macro empty_columns(entity) -%}
    {%- set agreed = contract(entity) -%}
    concat_ws(
        ', '
        {%- for column in agreed['columns'] if column not in agreed['required'] %},
        case
            when
                not exists (
                    select 1 from {{ ref('input_' ~ entity) }}
                    where {{ column }} is not null
                )
                then '{{ column }}'
        end
        {%- endfor %}
    )
{%- endmacro %}
