"""Generates src/connscope/kernel/_libbpf_abi.py, so that nothing parses C when connscope starts.

Run by ``make abi`` after a change to the declarations below.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

# Only what we call, from libbpf 1.1's libbpf.h, bpf.h and btf.h. cffi's ABI mode checks no
# signature: copy them exactly. va_list is a pointer when passed on x86-64 and arm64.
DECLARATIONS = """
struct bpf_object; struct bpf_program; struct bpf_map; struct bpf_link; struct btf;
struct perf_buffer;

typedef int (*libbpf_print_fn_t)(int level, const char *format, void *arguments);
void *libbpf_set_print(libbpf_print_fn_t fn);
const char *libbpf_version_string(void);
int libbpf_num_possible_cpus(void);

struct bpf_object *bpf_object__open_mem(const void *buf, size_t size, const void *opts);
int bpf_object__load(struct bpf_object *obj);
void bpf_object__close(struct bpf_object *obj);
const struct btf *bpf_object__btf(const struct bpf_object *obj);

struct bpf_program *bpf_object__next_program(const struct bpf_object *obj,
                                             struct bpf_program *prog);
const char *bpf_program__name(const struct bpf_program *prog);
const char *bpf_program__section_name(const struct bpf_program *prog);
int bpf_program__fd(const struct bpf_program *prog);
int bpf_program__type(const struct bpf_program *prog);
int bpf_program__set_autoload(struct bpf_program *prog, bool autoload);
bool bpf_program__autoload(const struct bpf_program *prog);

struct bpf_link *bpf_program__attach(const struct bpf_program *prog);
struct bpf_link *bpf_program__attach_cgroup(const struct bpf_program *prog, int cgroup_fd);
struct bpf_iter_attach_opts { size_t sz; void *link_info; unsigned int link_info_len; };
struct bpf_link *bpf_program__attach_iter(const struct bpf_program *prog,
                                          const struct bpf_iter_attach_opts *opts);
int bpf_link__fd(const struct bpf_link *link);
int bpf_link__destroy(struct bpf_link *link);
int bpf_iter_create(int link_fd);

struct bpf_map *bpf_object__next_map(const struct bpf_object *obj, const struct bpf_map *map);
const char *bpf_map__name(const struct bpf_map *map);
int bpf_map__fd(const struct bpf_map *map);
int bpf_map__type(const struct bpf_map *map);
unsigned int bpf_map__key_size(const struct bpf_map *map);
unsigned int bpf_map__value_size(const struct bpf_map *map);
unsigned int bpf_map__max_entries(const struct bpf_map *map);
bool bpf_map__is_internal(const struct bpf_map *map);
int bpf_map__set_autocreate(struct bpf_map *map, bool autocreate);
bool bpf_map__autocreate(const struct bpf_map *map);
int bpf_map__set_max_entries(struct bpf_map *map, unsigned int max_entries);
int bpf_map__reuse_fd(struct bpf_map *map, int fd);
void *bpf_map__initial_value(struct bpf_map *map, size_t *psize);

int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_update_elem(int fd, const void *key, const void *value, unsigned long long flags);
int bpf_map_delete_elem(int fd, const void *key);
int bpf_map_get_next_key(int fd, const void *key, void *next_key);
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
                         unsigned int *count, const void *opts);
int bpf_map_lookup_and_delete_batch(int fd, void *in_batch, void *out_batch, void *keys,
                                    void *values, unsigned int *count, const void *opts);
int bpf_map_update_batch(int fd, const void *keys, const void *values, unsigned int *count,
                         const void *opts);

typedef void (*perf_buffer_sample_fn)(void *ctx, int cpu, void *data, unsigned int size);
typedef void (*perf_buffer_lost_fn)(void *ctx, int cpu, unsigned long long cnt);
struct perf_buffer *perf_buffer__new(int map_fd, size_t page_cnt, perf_buffer_sample_fn sample_cb,
                                     perf_buffer_lost_fn lost_cb, void *ctx, const void *opts);
void perf_buffer__free(struct perf_buffer *pb);
int perf_buffer__epoll_fd(const struct perf_buffer *pb);
size_t perf_buffer__buffer_cnt(const struct perf_buffer *pb);
int perf_buffer__buffer(struct perf_buffer *pb, int buf_idx, void **buf, size_t *buf_size);

struct btf_type { unsigned int name_off; unsigned int info; unsigned int size_or_type; };
struct btf *btf__load_vmlinux_btf(void);
void btf__free(struct btf *btf);
unsigned int btf__type_cnt(const struct btf *btf);
int btf__find_by_name_kind(const struct btf *btf, const char *type_name, unsigned int kind);
const struct btf_type *btf__type_by_id(const struct btf *btf, unsigned int id);
const char *btf__name_by_offset(const struct btf *btf, unsigned int offset);

int libbpf_probe_bpf_map_type(int map_type, const void *opts);
int bpf_enable_stats(int type);
int bpf_prog_get_next_id(unsigned int start_id, unsigned int *next_id);
int bpf_map_get_next_id(unsigned int start_id, unsigned int *next_id);
int bpf_link_get_next_id(unsigned int start_id, unsigned int *next_id);
int bpf_obj_get_info_by_fd(int bpf_fd, void *info, unsigned int *info_len);

int vsnprintf(char *str, size_t size, const char *format, void *arguments);
"""

TARGET = Path(__file__).parents[1] / "src/connscope/kernel/_libbpf_abi.py"


def main() -> None:
    """Writes the module."""
    ffi = FFI()
    ffi.set_source("connscope.kernel._libbpf_abi", None)
    ffi.cdef(DECLARATIONS)
    ffi.emit_python_code(str(TARGET))


if __name__ == "__main__":
    main()
