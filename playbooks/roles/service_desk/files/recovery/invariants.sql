-- What is true of every desk in order. One line for each: how many rows say otherwise, and in words what they are.
copy (
    select (select count(*) from tickets t where not exists (select from queues q where q.id = t.queue)),
           'tickets without a queue'
    union all select (select count(*) from transactions t where t.objecttype = 'RT::Ticket'
        and not exists (select from tickets k where k.id = t.objectid)), 'entries without a ticket'
    union all select (select count(*) from tickets k where not exists (
        select from transactions t where t.objecttype = 'RT::Ticket' and t.objectid = k.id and t.type = 'Create')),
        'tickets that nobody opened'
    union all select (select count(*) from attachments a where not exists (
        select from transactions t where t.id = a.transactionid)), 'attachments without an entry'
    union all select (select count(*) from tickets t where not exists (select from users u where u.id = t.owner)),
        'tickets without an owner'
    union all select (select count(*) from tickets t where 4 > (
        select count(*) from groups g where g.domain = 'RT::Ticket-Role' and g.instance = t.id)),
        'tickets without the groups of their roles'
    union all select (select count(*) from groupmembers m where not exists (select from principals p where p.id = m.memberid)
        or not exists (select from groups g where g.id = m.groupid)), 'memberships of nobody or in nothing'
    union all select (select count(*) from users u where not exists (select from principals p where p.id = u.id)),
        'users without a principal'
    union all select (select count(*) from acl a where not exists (select from principals p where p.id = a.principalid)),
        'rights of nobody'
) to stdout;
