/* SPDX-License-Identifier: Apache-2.0 */
/* media.c - one reading of all the ways to write an image or a file. */
#include "actors/model/media.h"

#include <strings.h>

#include "actors/model/wire.h"

static enum gri_media_kind kind_of(const gr_value *part)
{
    static const struct {
        const char *type;
        enum gri_media_kind kind;
    } kinds[] = {
        { "image", GRI_MEDIA_IMAGE },       { "image_url", GRI_MEDIA_IMAGE },
        { "file", GRI_MEDIA_FILE },         { "document", GRI_MEDIA_FILE },
        { "text-plain", GRI_MEDIA_FILE },   { "audio", GRI_MEDIA_AUDIO },
        { "input_audio", GRI_MEDIA_AUDIO }, { "video", GRI_MEDIA_VIDEO },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (gri_has_type(part, kinds[i].type))
            return kinds[i].kind;
    return GRI_MEDIA_NONE;
}

static void set_mime(struct gri_media *m, const gr_value *mime)
{
    if (m->mime != NULL || gr_value_type(mime) != GR_STR || gr_len(mime) == 0)
        return;
    m->mime = gr_cstr(mime, "");
    m->mime_len = gr_len(mime);
}

static void set_data(struct gri_media *m, const gr_value *data)
{
    if (gr_value_type(data) != GR_STR || m->data != NULL)
        return;
    m->data = gr_cstr(data, "");
    m->data_len = gr_len(data);
}

/* set_url takes a data: URL of base64 apart: "data:image/png;base64,AAAA". */
static void set_url(struct gri_media *m, const gr_value *url)
{
    const char *s = gr_cstr(url, NULL), *comma, *semicolon;

    if (s == NULL || m->url != NULL || m->data != NULL)
        return;
    comma = strncasecmp(s, "data:", 5) == 0 ? strchr(s, ',') : NULL;
    if (comma == NULL || comma - s < 7 || strncasecmp(comma - 7, ";base64", 7) != 0) {
        m->url = s;
        return;
    }
    semicolon = strchr(s, ';');
    if (semicolon > s + 5) {
        m->mime = s + 5;
        m->mime_len = (size_t)(semicolon - s) - 5;
    }
    m->data = comma + 1;
    m->data_len = gr_len(url) - (size_t)(comma + 1 - s);
}

/* read_fields reads the keys that the standard blocks and Anthropic's sources share. */
static void read_fields(struct gri_media *m, const gr_value *from)
{
    const gr_value *id = gr_get(from, "file_id");

    set_mime(m, gr_get(from, "mime_type"));
    set_mime(m, gr_get(from, "media_type"));
    if (gri_has_type(from, "text") || gri_is_text(gr_get(from, "source_type"), "text"))
        m->text = gr_get(from, "data") != NULL ? gr_get(from, "data") : gr_get(from, "text");
    else
        set_data(m, gr_get(from, "data"));
    set_data(m, gr_get(from, "base64"));
    set_url(m, gr_get(from, "url"));
    m->file_id = gr_cstr(id, m->file_id);
    if (gri_is_text(gr_get(from, "source_type"), "id"))
        m->file_id = gr_cstr(gr_get(from, "id"), NULL);
}

/* read_openai reads image_url, input_audio and file as OpenAI has them. */
static void read_openai(struct gri_media *m, const gr_value *part)
{
    const gr_value *image = gr_get(part, "image_url"), *file = gr_get(part, "file");

    set_url(m, gr_value_type(image) == GR_STR ? image : gr_get(image, "url"));
    set_data(m, gr_get(gr_get(part, "input_audio"), "data"));
    if (strncasecmp(gr_cstr(gr_get(file, "file_data"), ""), "data:", 5) == 0)
        set_url(m, gr_get(file, "file_data"));
    else
        set_data(m, gr_get(file, "file_data"));
    m->file_id = gr_cstr(gr_get(file, "file_id"), m->file_id);
    if (m->title == NULL)
        m->title = gr_get(file, "filename");
}

struct gri_media gri_media_read(const gr_value *part)
{
    struct gri_media m = { .kind = kind_of(part) };
    const gr_value *source = gr_get(part, "source");

    if (m.kind == GRI_MEDIA_NONE)
        return m;
    m.title = gr_get(part, "title");
    read_openai(&m, part);
    read_fields(&m, gr_value_type(source) == GR_MAP ? source : part);
    if (gri_has_type(part, "text-plain") && gr_value_type(gr_get(part, "text")) == GR_STR)
        m.text = gr_get(part, "text");
    if (gr_value_type(m.text) != GR_STR)
        m.text = NULL;
    return m;
}

bool gri_media_is_empty(const struct gri_media *m)
{
    return m->url == NULL && m->data == NULL && m->text == NULL && m->file_id == NULL;
}
