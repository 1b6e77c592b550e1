/* SPDX-License-Identifier: Apache-2.0 */
/* error.c - the codes' names, and the library's version. */
#include <greenroom/base.h>

const char *gr_code_name(gr_code code)
{
    switch (code) {
    case GR_OK: return "GR_OK";
    case GR_ENOMEM: return "GR_ENOMEM";
    case GR_EINVAL: return "GR_EINVAL";
    case GR_ETYPE: return "GR_ETYPE";
    case GR_ETIMEDOUT: return "GR_ETIMEDOUT";
    case GR_ECANCELED: return "GR_ECANCELED";
    case GR_EDEAD: return "GR_EDEAD";
    case GR_EBROKEN: return "GR_EBROKEN";
    case GR_EFULL: return "GR_EFULL";
    case GR_EUNREACH: return "GR_EUNREACH";
    case GR_EPROTO: return "GR_EPROTO";
    case GR_EREMOTE: return "GR_EREMOTE";
    case GR_ERATE: return "GR_ERATE";
    case GR_EPENDING: return "GR_EPENDING";
    case GR_EOS: return "GR_EOS";
    case GR_EDEADLK: return "GR_EDEADLK";
    case GR_EINTR: return "GR_EINTR";
    }
    return "GR_E?";
}

const char *gr_version(void)
{
    return GR_VERSION;
}
