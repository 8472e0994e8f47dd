/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * ISO 3166-1 alpha-2 by continent, as GeoNames assigns them, for databases
 * that say nothing of continents.  XK (Kosovo) is user-assigned but usual.
 */


#include "fota_geo.h"


typedef struct {
    const char  *continent;
    const char  *countries;     /* two letters each, without separators */
} fota_geo_continent_t;


static const fota_geo_continent_t  fota_geo_continents[] = {

    { "AS",
      "AEAFAMAZBDBHBNBTCCCNCXCYGEHKIDILINIOIQIRJOJPKGKHKPKRKWKZLALBLKMMMNMOMV"
      "MYNPOMPHPKPSQASASGSYTHTJTMTRTWUZVNYE" },

    { "EU",
      "ADALATAXBABEBGBYCHCZDEDKEEESFIFOFRGBGGGIGRHRHUIEIMISITJELILTLULVMCMDME"
      "MKMTNLNOPLPTRORSRUSESISJSKSMUAVAXK" },

    { "AF",
      "AOBFBIBJBWCDCFCGCICMCVDJDZEGEHERETGAGHGMGNGQGWKEKMLRLSLYMAMGMLMRMUMWMZ"
      "NANENGRERWSCSDSHSLSNSOSSSTSZTDTGTNTZUGYTZAZMZW" },

    { "NA",
      "AGAIAWBBBLBMBQBSBZCACRCUCWDMDOGDGLGPGTHNHTJMKNKYLCMFMQMSMXNIPAPMPRSVSX"
      "TCTTUSVCVGVI" },

    { "SA", "ARBOBRCLCOECFKGFGYPEPYSRUYVE" },

    { "OC",
      "ASAUCKFJFMGUKIMHMPNCNFNRNUNZPFPGPNPWSBTKTLTOTVUMVUWFWS" },

    { "AN", "AQBVGSHMTF" }
};


const char *
fota_geo_continent(const char *country)
{
    size_t       i;
    const char  *p;

    if (country[0] == '\0' || country[1] == '\0' || country[2] != '\0') {
        return "";
    }

    for (i = 0;
         i < sizeof(fota_geo_continents) / sizeof(fota_geo_continents[0]);
         i++)
    {
        for (p = fota_geo_continents[i].countries; *p != '\0'; p += 2) {
            if (p[0] == country[0] && p[1] == country[1]) {
                return fota_geo_continents[i].continent;
            }
        }
    }

    return "";
}
