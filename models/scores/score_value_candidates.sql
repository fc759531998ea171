-- Grain: one row per customer, as_of_date, horizon_days and model_name.
-- What each candidate expects a customer to bring. Purchase models are asked about
-- customers without a subscription; of whom they have nothing to say, the mean of the
-- channel does. Of customers with one the rest of the contract is a candidate. The
-- blend keeps the ranking of what was learned and the level of the purchase models.

{%- set blended_models = ['tweedie', 'two_stages'] %}

with

customers as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route

    from {{ ref('train_values') }}

    where is_scored

),

baselines as (

    select * from {{ ref('score_value_baseline') }}

),

learned as (

    select * from {{ ref('score_value') }}

),

purchases as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        model_name,
        expected_amount,
        expected_value,
        model_source

    from {{ ref('score_clv') }}

    where is_own

),

purchase_models as (

    select distinct
        as_of_date,
        horizon_days,
        model_name

    from purchases

),

by_purchases as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.horizon_days,
        customers.clv_route,
        purchase_models.model_name,
        coalesce(purchases.expected_amount, baselines.expected_amount)
            as expected_amount,
        coalesce(
            purchases.expected_value,
            baselines.expected_amount * {{ worth_of_amount('customers.horizon_days') }}
        ) as expected_value,
        coalesce(purchases.model_source, baselines.model_source) as model_source,
        purchases.customer_id is not null as is_own

    from customers

    inner join purchase_models
        on customers.as_of_date = purchase_models.as_of_date
        and customers.horizon_days = purchase_models.horizon_days

    left join purchases
        on customers.customer_id = purchases.customer_id
        and customers.as_of_date = purchases.as_of_date
        and customers.horizon_days = purchases.horizon_days
        and purchase_models.model_name = purchases.model_name

    left join baselines
        on customers.customer_id = baselines.customer_id
        and customers.as_of_date = baselines.as_of_date
        and customers.horizon_days = baselines.horizon_days

    where customers.clv_route <> 'contractual'

),

seasons as (

    select
        as_of_date,
        horizon_days,
        season_index

    from {{ ref('fit_seasons') }}

    -- where no date of the horizon has an index, there is nothing to offer
    qualify bool_or(season_status = 'ok') over (partition by horizon_days)

),

-- purchase models know no season: what they expect, times that of the same window
by_seasons as (

    select
        by_purchases.customer_id,
        by_purchases.as_of_date,
        by_purchases.horizon_days,
        by_purchases.clv_route,
        'seasonal' as model_name,
        by_purchases.expected_amount
        * case when by_purchases.is_own then seasons.season_index else 1 end
            as expected_amount,
        by_purchases.expected_value
        * case when by_purchases.is_own then seasons.season_index else 1 end
            as expected_value,
        by_purchases.model_source

    from by_purchases

    inner join seasons
        on by_purchases.as_of_date = seasons.as_of_date
        and by_purchases.horizon_days = seasons.horizon_days

    where by_purchases.model_name = '{{ setting("purchase_model") }}'

),

by_amounts as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        model_name,
        expected_amount,
        model_name as model_source

    from learned

    union all

    select
        customer_id,
        as_of_date,
        horizon_days,
        model_name,
        expected_amount,
        model_source

    from baselines

    union all

    select
        customer_id,
        as_of_date,
        horizon_days,
        model_name,
        expected_amount,
        model_source

    from {{ ref('score_value_contracts') }}

),

alone as (

    select
        customers.customer_id,
        customers.as_of_date,
        customers.horizon_days,
        customers.clv_route,
        by_amounts.model_name,
        by_amounts.expected_amount,
        by_amounts.expected_amount * {{ worth_of_amount('customers.horizon_days') }}
            as expected_value,
        by_amounts.model_source

    from customers

    inner join by_amounts
        on customers.customer_id = by_amounts.customer_id
        and customers.as_of_date = by_amounts.as_of_date
        and customers.horizon_days = by_amounts.horizon_days

),

-- half of it by how often and how much was bought, half by what others like this
-- brought: whichever of these have something to say of everybody
blend_members as (

    select
        * exclude (is_own),
        'bought' as member_kind

    from by_purchases

    union all

    select
        *,
        'brought' as member_kind

    from alone

    where model_name in {{ literals(blended_models) }}

),

blend_halves as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        member_kind,
        cast(sum(cast(expected_amount as {{ prediction() }})) as double)
        / count(*) as expected_amount,
        cast(sum(cast(expected_value as {{ prediction() }})) as double)
        / count(*) as expected_value,
        string_agg(model_source, ', ' order by model_name) as model_source

    from blend_members

    group by customer_id, as_of_date, horizon_days, clv_route, member_kind

),

blends as (

    select
        bought.customer_id,
        bought.as_of_date,
        bought.horizon_days,
        bought.clv_route,
        'blend' as model_name,
        (bought.expected_amount + brought.expected_amount) / 2 as expected_amount,
        (bought.expected_value + brought.expected_value) / 2 as expected_value,
        'blend of ' || bought.model_source || ', ' || brought.model_source
            as model_source

    from blend_halves as bought

    inner join blend_halves as brought
        on bought.customer_id = brought.customer_id
        and bought.as_of_date = brought.as_of_date
        and bought.horizon_days = brought.horizon_days
        and brought.member_kind = 'brought'

    where bought.member_kind = 'bought'

),

all_candidates as (

    select * from alone
    union all
    select * exclude (is_own) from by_purchases
    union all
    select * from by_seasons
    union all
    select * from blends

),

candidates as (

    select
        customer_id,
        as_of_date,
        horizon_days,
        clv_route,
        model_name,
        cast(expected_amount as {{ prediction() }}) as expected_amount,
        cast(expected_value as {{ prediction() }}) as expected_value,
        model_source

    from all_candidates

    where expected_amount is not null

)

select * from candidates
