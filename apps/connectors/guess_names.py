"""What systems call the canonical fields: headers in seven languages and the field names of CRM and ERP products."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS: Final = re.compile(r"[^\W\d_]+|\d+")
_LETTERS: Final = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "ł": "l", "đ": "d", "œ": "oe", "ð": "d", "þ": "th"})
_UMLAUTS: Final = re.compile(r"(?<=[aou])e")


def words(header: str) -> list[str]:
    """The words of a header: "BillingPostalCode2" and "billing postal-code 2" alike."""
    return [fold(word) for word in _WORDS.findall(_CAMEL.sub(" ", header))]


def fold(text: str) -> str:
    """Letters and digits without case and accents; ä, ae and a are one, so that "Straße" and "STRASSE" agree."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return _UMLAUTS.sub("", "".join(char for char in plain if char.isalnum()))


# One paragraph per canonical field: English, German, French, Spanish, Italian, Dutch, Polish, then products.
_SYNONYMS: Final = """
record_id: id, recordid, customer id, customer no, customer number, customer code, customer key, cust no, cust id,
custnum, cust number, client id, client no, client number, client code, account id, account number, account no,
external id, externalid, ext id, source id, system id, contact id, company id, partner id, business partner, debtor
no, debtor number, number, no, key, uid, guid, uuid, ref, reference, kundennummer, kunden nr, kundennr, kunde nr, kd
nr, kdnr, kunden id, debitor, debitorennummer, debitoren nr, mandant id, nr, nummer, geschaeftspartner, adressnummer,
lfd nr, numero client, n client, no client, code client, id client, identifiant, matricule, numero de client, numero
de cliente, codigo cliente, cod cliente, id cliente, codigo, identificador, numero cliente, codice cliente, codice,
klantnummer, klant nr, klant id, klantcode, debiteurnummer, relatienummer, numer klienta, nr klienta, id klienta, kod
klienta, identyfikator, kunnr, partner, bpartner, hs object id, sf id, salesforce id, accountid, contactid,
accountnumber, cardcode, card code, cust account, custtable accountnum, custaccount, res partner id, entity id,
internal id

kind: kind, type, customer type, client type, account type, party type, entity type, record type, kundentyp,
kundenart, typ, art, personenart, type de client, type client, tipo, tipo de cliente, tipo cliente, klanttype, soort
klant, rodzaj, typ klienta, b2b b2c, is company, company type, is person account

name: name, full name, fullname, display name, customer name, client name, customer, client, contact name, contact
person, contact, person name, name1, name 1, kunde, kundenname, kundin, ansprechpartner, vollstaendiger name,
vollname, bezeichnung, nom complet, nom client, nom du client, nombre completo, nombre cliente, nombre del cliente,
cliente, nome completo, nome cliente, volledige naam, naam, klant, klantnaam, imie i nazwisko, nazwa, nazwa klienta,
klient, card name, cardname, party name

given_name: given name, first name, firstname, forename, christian name, fname, first, vorname, rufname, prenom,
prenoms, nombre, nombre de pila, nombres, primer nombre, nome, nome proprio, nome di battesimo, voornaam, roepnaam,
imie, imiona, name first, namefirst, contact first name

family_name: family name, last name, lastname, surname, lname, last, nachname, familienname, zuname, nom, nom de
famille, apellido, apellidos, primer apellido, cognome, achternaam, familienaam, nazwisko, name last, namelast,
contact last name

organization_name: organization name, organisation name, organization, organisation, company, company name, business
name, business, account name, accountname, account, legal name, legal entity name, trading name, trade name, firm,
firm name, employer, corporate name, firma, firmenname, firmenbezeichnung, unternehmen, unternehmensname,
gesellschaft, firmierung, societe, raison sociale, entreprise, nom entreprise, nom de la societe, denomination,
denomination sociale, empresa, razon social, nombre empresa, nombre de la empresa, compania, sociedad, azienda,
ragione sociale, societa, ditta, denominazione, nome azienda, bedrijf, bedrijfsnaam, onderneming, firmanaam, nazwa
firmy, przedsiebiorstwo, spolka, company legal name

birth_date: birth date, birthdate, date of birth, dob, birthday, born, birth, geburtsdatum, geburtstag, geb datum,
gebdat, geboren, geboren am, date de naissance, naissance, ne le, date naissance, fecha de nacimiento, fecha
nacimiento, nacimiento, f nacimiento, data di nascita, data nascita, nascita, geboortedatum, geboorte, data urodzenia,
urodzony, urodziny, person birthdate, gbdat

email: email, e mail, mail, email address, e mail address, mail address, email 1, emailaddress1, email address 1,
emailadresse, e mail adresse, mailadresse, elektronische post, courriel, adresse email, adresse e mail, adresse mail,
adresse electronique, mel, correo, correo electronico, direccion de correo, e correo, posta elettronica, indirizzo
email, indirizzo e mail, mailadres, emailadres, e mailadres, adres email, adres e mail, poczta, poczta elektroniczna,
person email, smtp addr, smtpaddr, contact email, work email, primary email

phone: phone, telephone, tel, phone number, telephone number, tel no, phone no, telno, mobile, mobile phone, mobile
number, cell, cell phone, cellphone, main phone, business phone, contact number, phone 1, telephone1, telefon,
telefonnummer, tel nr, telefon nr, rufnummer, handy, handynummer, mobil, mobiltelefon, mobilnummer, festnetz,
telefonnr, numero de telephone, no de telephone, portable, tel portable, telefono, numero de telefono, movil, tel
fijo, celular, numero di telefono, cellulare, recapito telefonico, telefoon, telefoonnummer, mobiel, gsm, telefonu,
numer telefonu, nr telefonu, komorka, telefon komorkowy, telf1, telf2, tel number, work phone, home phone, person
mobile phone, phone work

website: website, web site, web, url, homepage, home page, web address, site, domain, www, web url, website url,
company domain name, internet, internetseite, internetadresse, webseite, site web, site internet, sitio web, pagina
web, web page, sito, sito web, sito internet, webadres, strona, strona www, strona internetowa, witryna, websiteurl

tax_id: tax id, taxid, vat, vat id, vat no, vat number, vat reg no, vat registration no, vat registration number, vat
registration, vatin, tax number, tax no, tin, ein, tax code, fiscal code, tax identification number, federal tax id,
ust id, ustid, ust idnr, ustidnr, ust id nr, umsatzsteuer id, umsatzsteuer identifikationsnummer, umsatzsteuernummer,
steuernummer, steuer nr, steuer id, mwst nr, uid nummer, numero de tva, n tva, no tva, tva, tva intracommunautaire,
numero tva intracommunautaire, nif, cif, nif cif, numero de identificacion fiscal, rfc, cuit, partita iva, p iva,
piva, p iva cod fiscale, codice fiscale, btw nummer, btw nr, btw, btwnummer, nip, numer nip, nr nip, stceg, stcd1,
stcd2, tax registration number, vat reg number, tax identifier, federaltaxid, licentraddnum, gstin, abn

national_id: national id, nationalid, national identification number, ssn, social security number, social security no,
personal id, personal number, id card number, identity number, passport, nin, nino, personalausweis, ausweisnummer,
personalausweisnummer, sozialversicherungsnummer, sv nummer, svnr, numero de securite sociale, n secu, nir, dni, nie,
documento, documento de identidad, documento nacional de identidad, carta identita, bsn, burgerservicenummer,
rijksregisternummer, pesel, numer pesel, nr pesel, personnummer, cpf, curp, hetu, cpr

lei: lei, lei code, legal entity identifier

duns: duns, duns number, d u n s, d u n s number, duns no, duns nr, duns nummer, dun and bradstreet, dnb id

registration_number: registration number, registration no, reg no, reg number, company number, company no, company
registration number, company registration no, company reg no, business number, crn, commercial register, commercial
register number, handelsregister, handelsregisternummer, hrb, hrb nummer, hr nummer, registernummer, firmenbuchnummer,
siren, siret, numero siren, numero siret, rcs, numero rcs, registro mercantil, numero de registro, rea, numero rea,
registro imprese, kvk, kvk nummer, kvk nr, ondernemingsnummer, krs, numer krs, regon, numer regon, orgnr, org nr,
organisationsnummer, cvr

address_line1: address, address 1, address line 1, addressline1, addr1, addr 1, addr, street, street 1, street
address, street name, address street, street and number, street line 1, postal address, address1, strasse, str,
strasse und hausnummer, strasse hausnummer, strasse nr, anschrift, adresse, adresse 1, adresszeile 1, strassenname,
rue, voie, adresse ligne 1, adresse postale, numero et rue, direccion, direccion 1, calle, domicilio, calle y numero,
direccion postal, indirizzo, indirizzo 1, via, adres, adres 1, straat, straatnaam, straat en huisnummer, ulica, ulica
i numer, adres ulica, stras, billing street, mailing street, billing address, address1 line1, billto street

address_line2: address 2, address line 2, addressline2, addr2, addr 2, street 2, street line 2, address line two, apt,
apartment, suite, unit, floor, building, care of, adresszusatz, adresse 2, adresszeile 2, zusatz, anschriftenzusatz,
complement adresse, complement d adresse, complement, adresse ligne 2, direccion 2, piso, puerta, complemento,
indirizzo 2, interno, scala, adres 2, toevoeging, adresregel 2, numer mieszkania, lokal, strsuppl1, address1 line2,
address2

city: city, town, locality, municipality, city name, town city, city town, place, ort, stadt, wohnort, ortschaft,
gemeinde, ville, commune, localite, ciudad, localidad, poblacion, municipio, citta, comune, localita, stad, plaats,
woonplaats, gemeente, plaatsnaam, miasto, miejscowosc, ort01, ort 01, billing city, mailing city, address1 city

region: region, state, province, county, state province, state or province, province state, prov, state code,
territory, bundesland, kanton, provinz, etat, provincia, estado, comunidad autonoma, comunidad, regione,
provincie, gewest, wojewodztwo, powiat, regio, billing state, billing state province, mailing state, state id,
address1 stateorprovince, stateorprovince

postal_code: postal code, postalcode, postcode, post code, zip, zip code, zipcode, zip postal code, zip postcode, plz,
postleitzahl, code postal, cp, codepostal, codigo postal, c p, cod postal, cap, codice postale, codice avviamento
postale, pc, postcode plaats, kod pocztowy, kod, pstlz, post code1, billing postal code, billing zip, mailing postal
code, address1 postalcode

country: country, country code, country name, countrycode, nation, iso country, country iso, country iso code, country
region, land, laendercode, laenderkennzeichen, land iso, staat, lkz, laenderkuerzel, pays, code pays, pais, codigo
pais, codigo de pais, paese, nazione, stato, codice paese, landcode, landnaam, kraj, kod kraju, panstwo, land1,
billing country, mailing country, billing country code, country id, address1 country

currency: currency, currency code, curr, currency iso code, waehrung, waehrungscode, devise, monnaie, moneda, divisa,
valuta, valutacode, waluta, kod waluty, waers, transactioncurrencyid, currencyisocode

language: language, lang, language code, locale, preferred language, correspondence language, communication language,
sprache, sprachcode, korrespondenzsprache, langue, code langue, idioma, lengua, lingua, taal, taalcode, jezyk, spras,
langu

payment_terms: payment terms, payment term, terms of payment, payterms, pay terms, payment condition, payment
conditions, terms, zahlungsbedingung, zahlungsbedingungen, zahlungsziel, zahlungskondition, conditions de paiement,
condition de paiement, delai de paiement, condiciones de pago, forma de pago, condizioni di pagamento, termini di
pagamento, betalingsvoorwaarden, betalingstermijn, betaaltermijn, warunki platnosci, termin platnosci, zterm,
paymentterms, property payment term id

credit_limit: credit limit, creditlimit, credit line, credit max, max credit, credit amount, kreditlimit,
kreditrahmen, kreditlinie, limite de credit, plafond de credit, encours autorise, limite de credito, credito maximo,
fido, limite di credito, kredietlimiet, limit kredytowy, klimk, credit limit amount

status: status, state of customer, customer status, account status, record status, client status, lifecycle stage,
lifecycle, kundenstatus, zustand, statut, etat client, statut client, estado cliente, estado del cliente, situacion,
stato cliente, klantstatus, status klienta, statecode, statuscode, active, is active, aktiv

source_updated_at: source updated at, updated at, updatedat, updated, update date, last updated, last update, last
modified, last modified date, lastmodified, modified, modified at, modified on, modified date, modifiedon, change
date, changed on, changed at, changed, timestamp, aenderungsdatum, geaendert am, geaendert, letzte aenderung,
aktualisiert, aktualisiert am, date de modification, modifie le, date modification, derniere modification, maj, fecha
de modificacion, fecha modificacion, modificado, actualizado, ultima actualizacion, data modifica, data di modifica,
ultima modifica, modificato, aggiornato, gewijzigd, gewijzigd op, laatst gewijzigd, wijzigingsdatum, data modyfikacji,
zmodyfikowano, data aktualizacji, system modstamp, lastmodifieddate, hs lastmodifieddate, write date, aedat

deleted: deleted, is deleted, isdeleted, delete flag, deletion flag, marked for deletion, removed, geloescht,
loeschkennzeichen, loeschvermerk, supprime, eliminado, borrado, eliminato, cancellato, verwijderd, usuniety, usuniete,
loevm, is removed
"""

# Folded header -> canonical name. Where two fields share a word, the first paragraph is right.
BY_NAME: Final[dict[str, str]] = {}
for _paragraph in _SYNONYMS.strip().split("\n\n"):
    _canonical, _, _listed = _paragraph.partition(": ")
    BY_NAME.setdefault(fold(_canonical), _canonical)
    for _name in _listed.split(","):
        BY_NAME.setdefault(fold(_name), _canonical)

# Words that say whose or which field it is, not what it holds: left out when a header is not known as it stands.
_QUALIFIERS: Final = """
customer client account contact company business person personal main primary default current legal official billing
bill invoice mailing home work office private postal registered head hq sold to cust the of field value source crm erp
kunde kunden rechnung rechnungs rechnungsadresse haupt privat geschaftlich firmen client facturation principal
principale cliente facturacion fatturazione klant factuur klienta faktury id code 1 2 3
"""
QUALIFIERS: Final = frozenset(fold(word) for word in _QUALIFIERS.split())
# Words that say a field is the second choice: the address of delivery, another phone.
_SECOND: Final = """
shipping ship delivery deliver other alternate alternative alt secondary second additional 2 3 4 old previous former
liefer lieferung lieferadresse lieferanschrift zweite weitere livraison autre envio entrega otro spedizione consegna
altro levering bezorg andere dostawy inny
"""
SECOND: Final = frozenset(fold(word) for word in _SECOND.split())
