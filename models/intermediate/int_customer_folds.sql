-- Grain: one row per customer whom an accepted row names.
-- Which part of the customers one belongs to, by a hash of the id: the same in every
-- run, on every engine, and whatever other customers there are.

with

customers as (

    select customer_id from {{ ref('input_customers') }}
    union distinct
    select customer_id from {{ ref('int_named_customers') }}

),

folds as (

    select
        customer_id,
        {{ hashed_number('customer_id', 'fold') }} % {{ setting('folds_count') }} + 1
            as fold

    from customers

)

select * from folds
