"""Stand-ins for four real systems, as HTTP servers of their own: a CRM, an ERP, a billing system and a support desk.

They serve the demo, the contract tests of the adapters, the tests of flows and faults, and the benchmark of deliveries. They know nothing
of the hub and need nothing but the standard library. Every record has the kind's own id, a mark of its last change (microseconds, strictly
rising within a server), a version, a mark when it is deleted and one when it was merged into another.

    python -m apps.connectors.sandbox crm --port 0 --data crm.db --key SECRET

Every data address wants `Authorization: Bearer KEY`; billing takes Basic `KEY:` too. Bodies are JSON, in billing form-encoded (or JSON).
Words in brackets are optional. `{…}` answers show the shape, not every field; `[…]` is a list.

crm      (like Salesforce; ids 001 + 15 characters; no ETag; upsert by key; merge)
  PATCH  /services/data/v62.0/sobjects/Account/MDM_Key__c/{key}     201 | 200 {"id","success":true,"created","errors":[]}
  POST   /services/data/v62.0/sobjects/Account                      201 {"id","success":true,"errors":[]}; same key: 400 DUPLICATE_VALUE
  PATCH  /services/data/v62.0/sobjects/Account/{id}                 204
  GET    /services/data/v62.0/sobjects/Account/{id}                 200 the record; 404 [{"errorCode":"NOT_FOUND","message"}]
  GET    /services/data/v62.0/sobjects/Account/MDM_Key__c/{key}     200 the record; 404
  DELETE /services/data/v62.0/sobjects/Account/{id}                 204
  POST   /services/data/v62.0/sobjects/Account/{id}/merge           {"losers":[ids]} -> 200 {"id","success":true,"mergedRecordIds":[…]}
  GET    /services/data/v62.0/changes?after=&after_id=&limit=2000   {"records":[…],"done","next":{"after","after_id"}}, deleted ones too
  GET    /services/data/v62.0/limits                                200 (a cheap probe)
  errors [{"errorCode","message","fields":[…]}]; 200 that failed: {"id":null,"success":false,"errors":[{"statusCode","message","fields"}]}
  fields Id RecordType(Person|Business) Name FirstName LastName PersonBirthdate PersonEmail Phone Website BillingStreet BillingStreet2
         BillingCity BillingState BillingPostalCode BillingCountry TaxId__c Lei__c Language__c
         Status__c(Active|Inactive|Prospect|Closed|Blocked) MDM_Key__c(unique) MDM_Id__c MDM_Version__c(number)
         and, of the server: IsDeleted MasterRecordId CreatedDate SystemModstamp

erp      (like Dynamics, OData; ids of 8 digits; ETag; no upsert, no idempotency keys, no merge)
  POST   /api/data/customers                                        201 the record, ETag, Location; same mdmkey: 409 code 0x80040237
  PATCH  /api/data/customers({id})                                  needs If-Match: 428 missing, 412 stale, 200 the record and new ETag
  GET    /api/data/customers({id})                                  200 the record and ETag; 404
  DELETE /api/data/customers({id})                                  204; If-Match is heeded when sent
  GET    /api/data/customers?$filter=mdmkey eq '…'                  {"value":[…]}; accountnumber too; a ' inside is doubled
  GET    /api/data/customers?modified_after=&after_id=&$top=        {"value":[…],"@odata.nextLink"?,"@odata.deltaLink"?}; the last page has
         the deltaLink instead; a deleted one is {"customerid","modifiedon","@removed":{"reason":"deleted"}}
  GET    /api/data/WhoAmI                                           200 (a cheap probe)
  errors {"error":{"code","message","target"?}}; target is the field. 200 that failed: the same body
  fields customerid accountnumber(unique) customertype(person|organization) name firstname lastname organizationname(cut at 40) birthdate
         telephone vatnumber nationalid registrationnumber duns line1 line2 city state postalcode country currency paymentterms
         creditlimit(number) statuscode(Active|Inactive|OnHold|Closed|Prospect) blocked(boolean) mdmkey(unique) mdmid mdmversion(number)
         and, of the server: createdon modifiedon @odata.etag

billing  (like Stripe; ids cus_…; Idempotency-Key on every POST; no ETag, no merge)
  POST   /v1/customers                                              200 the customer; a replay has Idempotent-Replayed: true;
         same key, other parameters: 400 idempotency_error; still running: 409
  POST   /v1/customers/{id}                                         200 the customer; only what is sent changes; "" empties
  GET    /v1/customers/{id}                                         200 the customer, or {"id","object","deleted":true}; 404
  DELETE /v1/customers/{id}                                         200 {"id","object","deleted":true}
  GET    /v1/customers/search?query=metadata['mdm_key']:'…'         {"object":"search_result","data":[…],"has_more":false}: all that have it
  GET    /v1/customers?limit=&starting_after=                       {"object":"list","data":[…],"has_more"}, oldest first, without deleted
  GET    /v1/events?after=evt_…&limit=100                           {"object":"list","data":[{"id","type","created","data":{"object":…}}],
         "has_more"}, oldest first; types customer.created, customer.updated, customer.deleted
  GET    /v1/account                                                200 (a cheap probe)
  errors {"error":{"type","code","message","param"?}}. 200 that failed: the same body
  fields id object name email phone business_name individual_name tax_id currency preferred_locales[] payment_terms credit_limit(number)
         status(active|inactive|suspended|closed|prospect) address{line1 line2 city state postal_code country}
         metadata{mdm_key(not unique) mdm_id mdm_version kind …}(text) and, of the server: created(s) updated(ISO 8601) deleted

support  (like Zendesk; ids are numbers; upsert by external_id; merge; optional lock by updated_stamp)
  POST   /api/v2/contacts/create_or_update.json                     {"contact":{…,"external_id":key}} -> 201 | 200 {"contact":{…}}
  PUT    /api/v2/contacts/{id}.json                                 {"contact":{…[,"safe_update":true,"updated_stamp":…]}} -> 200; 409 stale
  GET    /api/v2/contacts/{id}.json                                 200 {"contact":{…}}; 404
  DELETE /api/v2/contacts/{id}.json                                 204
  GET    /api/v2/contacts/search.json?external_id=                  {"contacts":[…],"count"}
  GET    /api/v2/incremental/contacts/cursor.json?cursor=&per_page= {"contacts":[…],"after_cursor","end_of_stream"}; deleted ones have
         deleted_at, merged ones merged_into too
  POST   /api/v2/contacts/{id}/merge.json                           {"id": loser} -> 200 {"contact": the winner}
  GET    /api/v2/users/me.json                                      200 (a cheap probe)
  errors {"error":"RecordInvalid","description","details":{"field":[{"description","error"}]}}; 422, unknown fields 400
  fields id contact_type(person|organization) name given_name family_name company birth_date email phone website city country locale
         status(active|suspended|closed|inactive|prospect) external_id(unique) hub_id hub_version(number)
         and, of the server: created_at updated_at deleted_at merged_into

All kinds, with the header `X-Control: KEY`:
  GET | PUT /_faults       see faults.py; PUT {} switches all off
  GET  /_stats[?log=0]     requests, writes by kind, repeats recognised by key, effects per record, the log of writes in order
  POST /_edit              {"id","fields"[,"who"]}; what somebody there does
  POST /_delete            {"id"}
  POST /_merge             {"winner","loser"}
  POST /_load              NDJSON of native records with their ids; dirt stays, unknown fields are refused
  GET | DELETE /_records   NDJSON of all, deleted ones too, each with _id _key _version _deleted _merged_into _created_at _modified_at
For people: `/` lists the records, `/records/{id}` shows one with its history.
"""

from apps.connectors.sandbox.commands import Place, commands, places
from apps.connectors.sandbox.demo import native
from apps.connectors.sandbox.running import Far, FarError, running

__all__ = ["Far", "FarError", "Place", "commands", "native", "places", "running"]
