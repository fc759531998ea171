-- A row here is a training date whose outcome reaches past the day on which the model
-- is fitted: the model would learn from days that it is judged on.

select
    task,
    horizon_days,
    origin_date,
    as_of_date

from {{ ref('model_splits') }}

where
    role = 'train'
    and date_diff('day', as_of_date, origin_date) < horizon_days
