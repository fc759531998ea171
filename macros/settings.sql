{#- Every setting: its type, unit, range and default, and what it means. -#}
{% macro settings_catalogue() -%}
    {{ return({
        'horizons_days': {
            'unit': 'days',
            'type': 'integers', 'least': 1, 'most': 3650, 'default': [90, 365],
            'meaning': 'days after the as_of_date for which a score is given',
        },
        'score_date': {
            'type': 'date', 'default': none,
            'meaning': 'the day of the published scores; the newest complete day if not set',
        },
        'last_day_is_complete': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether the newest day in the data is known to its end',
        },
        'origin_dates': {
            'type': 'dates', 'default': [],
            'meaning': 'pinned dates of the backtest; dates of the grid, counted back from the score date, if empty',
        },
        'origins_count': {
            'unit': 'dates',
            'type': 'integer', 'least': 0, 'most': 100, 'default': 3,
            'meaning': 'how many dates the backtest counts back, one horizon apart',
        },
        'training_dates_count': {
            'unit': 'dates',
            'type': 'integer', 'least': 1, 'most': 100, 'default': 6,
            'meaning': 'how many dates before an origin a model learns from',
        },
        'training_grid': {
            'type': 'choice', 'choices': ['month', 'week'], 'default': 'month',
            'meaning': 'the dates that models may learn from: ends of months or of weeks',
        },
        'grid_dates_count': {
            'unit': 'dates',
            'type': 'integer', 'least': 0, 'most': 1000, 'default': 24,
            'meaning': 'how many dates of the grid keep their features, the newest ones, besides those that models need',
        },
        'daily_dates_kept_days': {
            'unit': 'days',
            'type': 'integer', 'least': 1, 'most': 3650, 'default': 35,
            'meaning': 'for how long the features of a daily score date are kept',
        },
        'churn_definition': {
            'type': 'choice',
            'choices': ['no_order', 'no_use', 'subscription_ended', 'either'],
            'default': 'either',
            'meaning': 'what within the horizon makes a customer lost; either is a subscription that ended, or neither an order nor use',
        },
        'hiatus_days': {
            'unit': 'days',
            'type': 'integer', 'least': 1, 'most': 3650, 'default': 90,
            'meaning': 'silent for longer, a customer without a subscription has lapsed and is nobody to lose; gone in the baseline hiatus_rule',
        },
        'tasks': {
            'type': 'choices', 'choices': ['churn', 'expansion'], 'default': ['churn'],
            'may_be_empty': true,
            'meaning': 'what is predicted as yes or no, besides purchases',
        },
        'training_population': {
            'type': 'choice', 'choices': ['in_scope', 'all'], 'default': 'in_scope',
            'meaning': 'whom the models of churn learn from: who was there to lose, or everybody with a label',
        },
        'folds_count': {
            'unit': 'folds',
            'type': 'integer', 'least': 2, 'most': 20, 'default': 5,
            'meaning': 'parts that customers are cut into, so that a probability is calibrated on customers that the model has not seen',
        },
        'training_customers': {
            'unit': 'customers',
            'type': 'integer', 'least': 100, 'most': 100000000, 'default': 25000,
            'meaning': 'of a training date with more customers than that, a sample of about so many is learned from',
        },
        'model_threads': {
            'unit': 'threads',
            'type': 'integer', 'least': 1, 'most': 64, 'default': 1,
            'meaning': 'threads of one model; the result is the same with any number',
        },
        'model_seed': {
            'type': 'integer', 'least': 0, 'most': 2147483647, 'default': 7,
            'meaning': 'number that the chances of fitting are drawn with',
        },
        'search_trials': {
            'unit': 'trials',
            'type': 'integer', 'least': 0, 'most': 1000, 'default': 20,
            'meaning': 'sets of parameters that are tried for a model of churn, besides the fixed ones; with 0 these stay',
        },
        'value_search_trials': {
            'unit': 'trials',
            'type': 'integer', 'least': 0, 'most': 1000, 'default': 20,
            'meaning': 'sets of parameters that are tried for a model of amounts, besides the fixed ones; with 0 these stay',
        },
        'minimum_repeat_customers': {
            'unit': 'customers',
            'type': 'integer', 'least': 2, 'most': 1000000, 'default': 50,
            'meaning': 'with fewer customers who came back, no statistical model is fitted',
        },
        'purchase_model': {
            'type': 'choice', 'choices': ['bg_nbd', 'mbg_nbd'], 'default': 'bg_nbd',
            'meaning': 'the purchase model whose scores are published',
        },
        'pareto_nbd': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether Pareto/NBD is a candidate of value too; its fit takes some fifty times as long',
        },
        'metric_priority': {
            'type': 'choice',
            'choices': ['average_precision', 'roc_auc', 'brier_skill', 'top_decile_lift'],
            'default': 'average_precision',
            'meaning': 'by which metric of past dates a candidate is chosen; average_precision is the area under precision and recall of who left',
        },
        'bootstrap_draws': {
            'unit': 'draws',
            'type': 'integer', 'least': 0, 'most': 10000, 'default': 200,
            'meaning': 'how often customers are drawn to tell how far a metric of the backtest is chance; 0 gives no intervals',
        },
        'retrain_after_days': {
            'unit': 'days',
            'type': 'integer', 'least': 1, 'most': 3650, 'default': 14,
            'meaning': 'days of data after the last fit of churn and the like after which the next one is due',
        },
        'fit_now': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether a fit is due whatever the date; perennial build --fit says so for one run',
        },
        'min_auc': {
            'unit': 'area',
            'type': 'number', 'least': 0.5, 'most': 1, 'default': 0.80,
            'meaning': 'mean AUC over past dates that a model should reach',
        },
        'min_auc_policy': {
            'type': 'choice', 'choices': ['warn', 'block'], 'default': 'warn',
            'meaning': 'whether a model below min_auc is promoted with a warning, or not at all',
        },
        'approval': {
            'type': 'choice', 'choices': ['auto', 'manual'], 'default': 'auto',
            'meaning': 'whether a model that passed its gates scores at once, or waits for perennial models approve',
        },
        'canary_share': {
            'unit': 'share of customers',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0,
            'meaning': 'share of customers, by a hash of the id, who get the score of the challenger',
        },
        'prediction_features_kept_days': {
            'unit': 'days',
            'type': 'integer', 'least': 0, 'most': 3650, 'default': 35,
            'meaning': 'for how long the features that a score was made from are kept; 0 keeps none',
        },
        'reasons_share': {
            'unit': 'share of customers',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0.10,
            'meaning': 'share of the scored customers, at most, whose scores are explained in a build: those above the lowest band, the highest first',
        },
        'annual_discount_rate': {
            'unit': 'share per year',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0.10,
            'meaning': 'what money loses in worth per year',
        },
        'gross_margin': {
            'unit': 'share',
            'type': 'number', 'least': 0, 'most': 1, 'default': 1.0,
            'meaning': 'share of an order amount that is value',
        },
        'refused_rows_threshold': {
            'unit': 'share of rows',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0.005,
            'meaning': 'share of refused rows in a file beyond which the build stops',
        },
        'conflicting_duplicates': {
            'type': 'choice', 'choices': ['refuse', 'latest'], 'default': 'refuse',
            'meaning': 'rows of one key that differ: all are refused, or the last one stays',
        },
        'longest_text': {
            'unit': 'characters',
            'type': 'integer', 'least': 10, 'most': 1000000, 'default': 1000,
            'meaning': 'a cell with longer text is refused',
        },
        'least_completeness': {
            'unit': 'share of customers',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0.995,
            'meaning': 'share of customers that must have a value, and of those in scope a score, or perennial build does not publish',
        },
        'orphans_threshold': {
            'unit': 'share of customers',
            'type': 'number', 'least': 0, 'most': 1, 'default': 0.005,
            'meaning': 'share of customers that no list of customers holds beyond which the build warns',
        },
        'entities': {
            'type': 'choices', 'default': ['orders'],
            'choices': ['customers', 'orders', 'subscriptions', 'events', 'tickets', 'touches'],
            'meaning': 'the domains that the connector delivers',
        },
        'source_time_zone': {
            'type': 'time_zone', 'default': 'UTC',
            'meaning': 'the zone of delivered times that name none',
        },
        'business_time_zone': {
            'type': 'time_zone', 'default': 'UTC',
            'meaning': 'the zone in which days begin and end',
        },
        'currency': {
            'type': 'currency', 'default': none,
            'meaning': 'the one currency of all amounts, to which seeds/currency_rates.csv converts; without it the currency of an order is not looked at',
        },
        'replace_changed_files': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether a file that changed since it was read is read again, in place of refusing it',
        },
        'pseudonymise': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether ids in the marts are keyed hashes; the key is DBT_ENV_SECRET_PERENNIAL_KEY',
        },
        'enrichment': {
            'type': 'boolean', 'default': false,
            'meaning': 'whether seeds/enrichment and the views on it are built; as a var alone, not in connector_settings',
        },
        'cdnow_log': {
            'type': 'choice', 'choices': ['master', 'sample'], 'default': 'master',
            'meaning': 'which of the two CDNOW logs is read',
        },
        'demo_size': {
            'type': 'choice', 'choices': ['tiny', 'small', 'large'], 'default': none,
            'meaning': 'size of the demo company; if not set, that of the files that are there, and tiny where they are made',
        },
        'demo_seed': {
            'type': 'integer', 'least': 0, 'most': 4294967295, 'default': none,
            'meaning': 'number that the chances of the demo company are drawn with; if not set, that of the files that are there, and 7 where they are made',
        },
        'demo_shocks': {
            'type': 'choices', 'choices': ['price_rise', 'outage', 'holiday'], 'default': none,
            'meaning': 'what befalls the demo company; if not set, what befell the one that is there, and nothing where it is made',
        },
    }) }}
{%- endmacro %}

{#- The value of a setting, checked. Yours first, then the connector's, then ours. -#}
{% macro setting(name) -%}
    {%- do perennial.refuse_code_in_vars() -%}
    {%- set specification = perennial.settings_catalogue()[name] -%}
    {%- set value = var(name, none) -%}
    {%- if value is none -%}
        {%- set value = perennial.connector_settings().get(name, specification['default']) -%}
    {%- endif -%}
    {{ return(perennial.checked_setting(name, value, specification)) }}
{%- endmacro %}

{#- Hash of the values of all settings but those that are named. -#}
{% macro hash_of_settings(aside) -%}
    {%- set values = [] -%}
    {%- for name in perennial.settings_catalogue() | sort if name not in aside -%}
        {%- do values.append(name ~ ' ' ~ tojson(perennial.setting(name))) -%}
    {%- endfor -%}
    {{ return(local_md5(values | join(';'))) }}
{%- endmacro %}

{#- Hash of the settings that marts may depend on: all but those that say which day it
    is, and what one run does. -#}
{% macro settings_of_marts_hash() -%}
    {{ return(perennial.hash_of_settings([
        'score_date', 'fit_now', 'replace_changed_files', 'model_threads',
        'least_completeness',
    ])) }}
{%- endmacro %}

{#- What the connector in use knows better, by the setting's name: in the var
    connector_settings, or in a macro <connector>__settings, as `perennial init` writes
    one into macros/connectors. Only a macro can be had while dbt reads the project
    without that a file of the project is changed. -#}
{% macro connector_settings() -%}
    {%- set all_connectors, connector = var('connector_settings', {}), var('connector') -%}
    {%- set own = context.get(connector ~ '__settings') -%}
    {%- set settings = all_connectors.get(connector, own() if own else {})
        if all_connectors is mapping else none -%}
    {%- if settings is not mapping -%}
        {{ exceptions.raise_compiler_error(
            "Setting connector_settings is " ~ perennial.shown(all_connectors)
            ~ ", and must name settings under the name of their connector."
        ) }}
    {%- endif -%}
    {{ return(settings) }}
{%- endmacro %}

{#- dbt renders a var as a template, and with it whatever the template calls, before
    anybody can look at the value: so a template is refused unread. -#}
{% macro refuse_code_in_vars() -%}
    {%- for name, value in invocation_args_dict.get('vars', {}).items() -%}
        {%- if value is string and modules.re.search('[{][{%#]', value) -%}
            {{ exceptions.raise_compiler_error(
                "Setting " ~ perennial.shown(name) ~ " is " ~ perennial.shown(value)
                ~ ", and must be plain text: dbt would run what stands in braces."
            ) }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- A value as one short line, without what would steer a terminal. -#}
{% macro shown(value) -%}
    {%- for character in (value | string)[:60] -%}
        {{ character if character.isprintable() else ' ' }}
    {%- endfor -%}
{%- endmacro %}

{% macro checked_setting(name, value, specification) -%}
    {%- set type = specification['type'] -%}
    {%- if value is none and specification['default'] is none -%}
        {{ return(none) }}
    {%- elif type in ['integers', 'dates', 'choices'] -%}
        {%- if value is string or value is mapping or value is not iterable
            or (value | length == 0 and specification['default']
                and not specification.get('may_be_empty')) -%}
            {{ perennial.refuse_setting(name, value, 'a list') }}
        {%- endif -%}
        {%- set checked = [] -%}
        {%- for item in value -%}
            {%- if item is none -%}
                {{ perennial.refuse_setting(name, value, 'a list without gaps') }}
            {%- endif -%}
            {%- do checked.append(
                perennial.checked_setting(name, item, dict(specification, type=type[:-1]))
            ) -%}
        {%- endfor -%}
        {%- if checked | unique | list | length < checked | length -%}
            {{ perennial.refuse_setting(name, value, 'a list that names nothing twice') }}
        {%- endif -%}
        {{ return(checked) }}
    {%- elif type == 'integer' or type == 'number' -%}
        {%- set wanted = 'a whole number' if type == 'integer' else 'a number' -%}
        {%- set least, most = specification['least'], specification['most'] -%}
        {%- if value is boolean or not (
            value is integer or (type == 'number' and value is float)
        ) or not least <= value <= most -%}
            {{ perennial.refuse_setting(name, value, wanted ~ ' from ' ~ least ~ ' to ' ~ most) }}
        {%- endif -%}
    {%- elif type == 'boolean' -%}
        {%- if value is not boolean -%}
            {{ perennial.refuse_setting(name, value, 'true or false') }}
        {%- endif -%}
    {%- elif type == 'choice' -%}
        {%- if value not in specification['choices'] -%}
            {{ perennial.refuse_setting(name, value, specification['choices'] | join(' or ')) }}
        {%- endif -%}
    {%- elif type == 'time_zone' -%}
        {%- if value is not string or value not in modules.pytz.all_timezones -%}
            {{ perennial.refuse_setting(name, value, 'a time zone like Europe/Berlin') }}
        {%- endif -%}
    {%- elif type == 'currency' -%}
        {%- if value is not string or not modules.re.fullmatch('[A-Z]{3}', value) -%}
            {{ perennial.refuse_setting(name, value, 'three capital letters like EUR') }}
        {%- endif -%}
    {%- elif type == 'date' -%}
        {%- set value = value | string -%}
        {%- set year = value[:4] | int -%}
        {%- set is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) -%}
        {%- set february = 29 if is_leap else 28 -%}
        {%- set days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] -%}
        {%- if not modules.re.fullmatch(
            '[1-9][0-9]{3}-(0[1-9]|1[0-2])-[0-9]{2}', value
        ) or not 1 <= value[8:] | int <= days[value[5:7] | int - 1] -%}
            {{ perennial.refuse_setting(name, value, 'a date like 1998-06-30') }}
        {%- endif -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}

{% macro refuse_setting(name, value, wanted) -%}
    {{ exceptions.raise_compiler_error(
        "Setting " ~ name ~ " is " ~ perennial.shown(value) ~ ", and must be " ~ wanted
        ~ ": " ~ perennial.settings_catalogue()[name]['meaning'] ~ "."
    ) }}
{%- endmacro %}
