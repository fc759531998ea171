-- A row here is a score date, set by a person, after the last day that is known to its
-- end: the days between would count as silence of every customer.

select
    score_date,
    last_complete_date

from {{ ref('int_score_date') }}

where score_date > last_complete_date
