-- Says which rows of Request Tracker's tables are one agency's. Reads the tables on the search path and makes for each a
-- temporary table scope_<table> (id, own). `own` rows are the agency's alone; the others are what its rows cannot do
-- without: the desk's configuration, its system users and groups, and the people who wrote to the agency. A row that is in
-- no scope is another agency's. psql is told :agency.
create temp table scope_queues on commit drop as
    select id, name = :'agency' as own from queues
    where name in (:'agency', 'General', '___Approvals', 'isolation-control');
create temp table scope_tickets on commit drop as
    select id, true as own from tickets where queue in (select id from scope_queues where own);

create temp table scope_users on commit drop as
    select id, starts_with(name, :'agency' || '.') as own from users
    where starts_with(name, :'agency' || '.') or name in ('RT_System', 'Nobody', 'root')
       or id in (select memberid from groupmembers m join groups g on g.id = m.groupid
                 where g.domain = 'RT::Ticket-Role' and g.instance in (select id from scope_tickets))
       or id in (select creator from transactions
                 where objecttype = 'RT::Ticket' and objectid in (select id from scope_tickets))
       or id in (select unnest(array[creator, lastupdatedby, owner]) from tickets where id in (select id from scope_tickets));
create temp table scope_groups on commit drop as
    select id, true as own from groups
    where (domain = 'UserDefined' and name = :'agency')
       or (domain = 'RT::Ticket-Role' and instance in (select id from scope_tickets))
       or (domain = 'RT::Queue-Role' and instance in (select id from scope_queues where own))
       or (domain = 'ACLEquivalence' and instance in (select id from scope_users where own))
    union all
    select id, false from groups
    where domain in ('SystemInternal', 'RT::System-Role', 'RT::Catalog-Role')
       or (domain = 'RT::Queue-Role' and instance in (select id from scope_queues where not own))
       or (domain = 'ACLEquivalence' and instance in (select id from scope_users where not own));
create temp table scope_principals on commit drop as
    select id, own from scope_users union all select id, own from scope_groups;
create temp table scope_groupmembers on commit drop as
    select m.id, g.own or p.own as own from groupmembers m
    join scope_groups g on g.id = m.groupid join scope_principals p on p.id = m.memberid;
create temp table scope_cachedgroupmembers on commit drop as
    select m.id, g.own or p.own or parent.own as own from cachedgroupmembers m
    join scope_groups g on g.id = m.groupid join scope_principals p on p.id = m.memberid
    join scope_principals parent on parent.id = m.immediateparentid;

-- What the tables that may be about anything say of it: the type and the number of what is the agency's own.
create temp table scope_objects on commit drop as
    select 'RT::Ticket' as objecttype, id as objectid from scope_tickets
    union all select 'RT::Queue', id from scope_queues where own
    union all select 'RT::User', id from scope_users where own
    union all select 'RT::Group', id from scope_groups where own;
create temp table scope_acl on commit drop as
    select a.id, p.own or q.own is true as own from acl a
    join scope_principals p on p.id = a.principalid
    left join scope_queues q on a.objecttype = 'RT::Queue' and q.id = a.objectid
    where (a.objecttype <> 'RT::Queue' or q.id is not null)
      and (a.objecttype <> 'RT::Group' or a.objectid in (select id from scope_groups));
create temp table scope_transactions on commit drop as
    select id, true as own from transactions join scope_objects using (objecttype, objectid);
create temp table scope_attachments on commit drop as
    select id, true as own from attachments where transactionid in (select id from scope_transactions);
create temp table scope_links on commit drop as
    select id, true as own from links
    where localbase in (select id from scope_tickets) or localtarget in (select id from scope_tickets);
create temp table scope_objectcustomfieldvalues on commit drop as
    select id, true as own from objectcustomfieldvalues join scope_objects using (objecttype, objectid);
create temp table scope_attributes on commit drop as
    select id, true as own from attributes join scope_objects using (objecttype, objectid)
    union all select id, false from attributes where objecttype = 'RT::System';
create temp table scope_authtokens on commit drop as
    select id, true as own from authtokens where owner in (select id from scope_users where own);
create temp table scope_templates on commit drop as
    select t.id, q.own is true as own from templates t left join scope_queues q on q.id = t.queue
    where t.queue = 0 or q.id is not null;
create temp table scope_objectscrips on commit drop as
    select o.id, q.own is true as own from objectscrips o left join scope_queues q on q.id = o.objectid
    where o.objectid = 0 or q.id is not null;

-- The desk's configuration, which all agencies share.
create temp table scope_catalogs on commit drop as select id, false as own from catalogs;
create temp table scope_classes on commit drop as select id, false as own from classes;
create temp table scope_configurations on commit drop as select id, false as own from configurations;
create temp table scope_customfields on commit drop as select id, false as own from customfields;
create temp table scope_customfieldvalues on commit drop as select id, false as own from customfieldvalues;
create temp table scope_customroles on commit drop as select id, false as own from customroles;
create temp table scope_objectclasses on commit drop as select id, false as own from objectclasses;
create temp table scope_objectcustomfields on commit drop as select id, false as own from objectcustomfields;
create temp table scope_objectcustomroles on commit drop as select id, false as own from objectcustomroles;
create temp table scope_scripactions on commit drop as select id, false as own from scripactions;
create temp table scope_scripconditions on commit drop as select id, false as own from scripconditions;
create temp table scope_scrips on commit drop as select id, false as own from scrips;

-- Nothing of these: articles and assets are no part of the service, and a session is over when its desk is lost.
create temp table scope_articles on commit drop as select id, false as own from articles where false;
create temp table scope_assets on commit drop as select id, false as own from assets where false;
create temp table scope_objecttopics on commit drop as select id, false as own from objecttopics where false;
create temp table scope_topics on commit drop as select id, false as own from topics where false;
create temp table scope_sessions on commit drop as select id, false as own from sessions where false;
-- Short links to searches, of which Request Tracker has kept a table since 5.0.4: so nothing is read of it here.
create temp table scope_shorteners (id integer, own boolean) on commit drop;
