-- A row here is a task and horizon of which the newest judged origin may be looked at
-- to choose between models, so that no origin is left to judge the choice.

select
    task,
    horizon_days,
    max(origin_date) as newest_origin_date

from {{ ref('model_splits') }}

where role = 'test'

group by task, horizon_days

having
    max(origin_date) filter (where is_for_selection) = max(origin_date)
