/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - where the sockets of processes that start have their files: a folder that only we may
 * enter, which is there as long as somebody needs it.
 *
 * Its name stays, so that the URLs do; but if somebody has taken it meanwhile we take another one.
 */
#ifndef GR_RUNTIME_ISOLATE_FOLDER_H
#define GR_RUNTIME_ISOLATE_FOLDER_H

#include <stdbool.h>

#define GRI_FOLDER_PATH_SIZE 96 /* a socket's path has at most 107 bytes */
#define GRI_FOLDER_URL_SIZE 128

/* Zeroed is ready. */
struct gri_folder {
    char path[GRI_FOLDER_PATH_SIZE]; /* "": no name yet */
    unsigned users;                  /* the folder is there unless 0 */
};

/* gri_folder_enter makes the folder if need be, and writes the URL of a number; 0, or an errno. */
int gri_folder_enter(struct gri_folder *f, unsigned number, char url[GRI_FOLDER_URL_SIZE]);
/* gri_folder_leave removes the number's file, and the folder with its last user. */
void gri_folder_leave(struct gri_folder *f, unsigned number);
void gri_folder_fini(struct gri_folder *f);

#endif
