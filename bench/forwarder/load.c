// The benchmark's load generator: one thread on epoll; closed loop, or open loop at a fixed rate.
//
//   load --port P --seconds S [--connections N] [--path /200] [--body BYTES] [--rate R] [--new] [--idle K]
//
// Each connection has a session cookie of its own. --new: each request on a new connection. --idle: K further
// connections that have had one answer and stand. Open loop: requests are due at fixed times, whether or not an
// answer is late, and latency counts from when the request was due (no coordinated omission).
// Prints one line of JSON; latencies are microseconds, from a log-linear histogram (64 steps to each doubling).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (512 * 1024)
#define HEAD_BYTES_MAX 4096
#define SUB_BITS 6
#define BUCKETS (40 << SUB_BITS)
#define SOURCES 64  // loopback addresses that new connections come from: ports do not run out

enum state { FREE, CONNECTING, SENDING, HEAD, BODY, CHUNKED, IDLE };
struct connection {
  int fd, index, writing, idle;
  enum state state;
  char head[HEAD_BYTES_MAX];
  size_t head_length, out_at;
  long body_left;
  char tail[5];
  char *request; size_t request_length;
  long long due_ns;
};

static int port, connections = 64, body = 0, fresh = 0, idle = 0;
static double seconds = 3, rate = 0;
static const char *path = "/200";
static int ep, sources;
static char buffer[READ_BYTES];
static long histogram[BUCKETS], requests, errors, bad_status;
static long long received, max_ns;
static struct connection *all, **free_list;
static int free_count;
static long long *queue; static long queue_head, queue_tail, queue_size = 1 << 20;

static long long now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }

static int bucket_of(long long ns) {
  if (ns < (1 << SUB_BITS)) return ns < 0 ? 0 : (int)ns;
  int shift = 63 - __builtin_clzll(ns) - SUB_BITS;
  int at = ((shift + 1) << SUB_BITS) + (int)((ns >> shift) - (1 << SUB_BITS));
  return at < BUCKETS ? at : BUCKETS - 1;
}
static double us_of(int at) {
  if (at < (1 << SUB_BITS)) return at / 1e3;
  int shift = (at >> SUB_BITS) - 1;
  return ((((long long)(at & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS) + 1) << shift)) / 1e3;
}
static double quantile(double q) {
  long left = (long)(q * requests);
  for (int i = 0; i < BUCKETS; i++) if ((left -= histogram[i]) < 0) return us_of(i);
  return max_ns / 1e3;
}

static void begin(struct connection *c, long long due_ns);
static void go_on(struct connection *c);

static void watch(struct connection *c, int writing, int op) {
  if (op == EPOLL_CTL_MOD && c->writing == writing) return;
  c->writing = writing;
  struct epoll_event e = { .events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c };
  epoll_ctl(ep, op, c->fd, &e);
}

static void connect_it(struct connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) { perror("socket"); exit(1); }
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (fresh || idle) {
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + sources++ % SOURCES) };
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(c->fd, (struct sockaddr *)&from, sizeof from);
  }
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  c->state = CONNECTING;
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) { perror("connect"); exit(1); }
  watch(c, 1, EPOLL_CTL_ADD);
}

// The connection is ready for its next request: at once in the closed loop, when one is due in the open one.
static void ready(struct connection *c) {
  if (c->idle) { c->state = IDLE; return; }
  if (rate == 0) return begin(c, now_ns());
  if (queue_head < queue_tail) return begin(c, queue[queue_head++ % queue_size]);
  c->state = FREE;
  free_list[free_count++] = c;
}

static void fail(struct connection *c) {
  errors++;
  close(c->fd);
  if (errors > 100000) { fprintf(stderr, "too many errors\n"); exit(1); }
  connect_it(c);
}

static void answered(struct connection *c) {
  if (!c->idle) {
    long long ns = now_ns() - c->due_ns;
    requests++;
    histogram[bucket_of(ns)]++;
    if (ns > max_ns) max_ns = ns;
  }
  if (fresh && !c->idle) {
    close(c->fd);
    c->due_ns = now_ns();
    connect_it(c);
  } else ready(c);
}

static void begin(struct connection *c, long long due_ns) {
  c->due_ns = due_ns;
  c->out_at = c->head_length = 0;
  c->state = SENDING;
  go_on(c);
}

static void send_it(struct connection *c) {
  while (c->out_at < c->request_length) {
    ssize_t n = send(c->fd, c->request + c->out_at, c->request_length - c->out_at, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) return watch(c, 1, EPOLL_CTL_MOD);
      return fail(c);
    }
    c->out_at += n;
  }
  c->state = HEAD;
  watch(c, 0, EPOLL_CTL_MOD);
}

static void read_head(struct connection *c) {
  ssize_t n = recv(c->fd, c->head + c->head_length, HEAD_BYTES_MAX - 1 - c->head_length, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return fail(c);
  received += n;
  c->head_length += n;
  c->head[c->head_length] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL) { if (c->head_length == HEAD_BYTES_MAX - 1) fail(c); return; }
  if (strncmp(c->head + 8, " 200", 4) != 0) bad_status++;
  long length = -1; int chunked = 0;
  for (char *line = strstr(c->head, "\r\n"); line != NULL && line < end; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, "content-length:", 15) == 0) length = atol(line + 17);
    else if (strncasecmp(line + 2, "transfer-encoding: chunked", 26) == 0) chunked = 1;
  }
  size_t more = c->head + c->head_length - (end + 4);
  if (chunked) {
    memset(c->tail, 0, 5);
    for (size_t i = more < 5 ? 0 : more - 5; i < more; i++) { memmove(c->tail, c->tail + 1, 4); c->tail[4] = end[4 + i]; }
    if (memcmp(c->tail, "0\r\n\r\n", 5) == 0) return answered(c);
    c->state = CHUNKED;
    return;
  }
  if (length < 0) return fail(c);
  c->body_left = length - (long)more;
  if (c->body_left < 0) return fail(c);
  if (c->body_left == 0) return answered(c);
  c->state = BODY;
}

static void read_body(struct connection *c) {
  for (;;) {
    int chunked = c->state == CHUNKED;
    size_t want = !chunked && c->body_left < READ_BYTES ? (size_t)c->body_left : READ_BYTES;
    // The bytes of a body with a length are counted in the kernel, not copied: the load must not be the limit.
    ssize_t n = recv(c->fd, buffer, want, chunked ? 0 : MSG_TRUNC);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return fail(c);
    received += n;
    if (chunked) {
      for (ssize_t i = n < 5 ? 0 : n - 5; i < n; i++) { memmove(c->tail, c->tail + 1, 4); c->tail[4] = buffer[i]; }
      if (memcmp(c->tail, "0\r\n\r\n", 5) == 0) return answered(c);
    } else if ((c->body_left -= n) == 0) return answered(c);
  }
}

static void go_on(struct connection *c) {
  if (c->state == CONNECTING) {
    int error = 0; socklen_t length = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(c);
    if (c->idle || (fresh && rate == 0)) return begin(c, c->due_ns == 0 ? now_ns() : c->due_ns);
    watch(c, 0, EPOLL_CTL_MOD);
    return ready(c);
  }
  if (c->state == SENDING) send_it(c);
  else if (c->state == HEAD) read_head(c);
  else if (c->state == BODY || c->state == CHUNKED) read_body(c);
  else {  // nothing is due here: the other side closed it
    if (c->state == FREE) for (int i = 0; i < free_count; i++) if (free_list[i] == c) { free_list[i] = free_list[--free_count]; break; }
    fail(c);
  }
}

static void prepare(struct connection *c, int index) {
  c->index = index;
  c->request = malloc(512 + body);
  int n = sprintf(c->request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: load\r\nAccept: */*\r\nCookie: theme=dark; sid=s%%3Ac%d.Qm9b\r\n", body ? "POST" : "GET", path, port, index);
  if (fresh) n += sprintf(c->request + n, "Connection: close\r\n");
  if (body) n += sprintf(c->request + n, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", body);
  n += sprintf(c->request + n, "\r\n");
  memset(c->request + n, 'y', body);
  c->request_length = n + body;
}

static void turn(int timeout_ns) {
  struct epoll_event events[512];
  struct timespec wait = { 0, timeout_ns };
  int n = epoll_pwait2(ep, events, 512, &wait, NULL);
  for (int i = 0; i < n; i++) go_on(events[i].data.ptr);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *key = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(key, "--new")) { fresh = 1; continue; }
    if (!strcmp(key, "--port")) port = atoi(value);
    else if (!strcmp(key, "--connections")) connections = atoi(value);
    else if (!strcmp(key, "--seconds")) seconds = atof(value);
    else if (!strcmp(key, "--path")) path = value;
    else if (!strcmp(key, "--body")) body = atoi(value);
    else if (!strcmp(key, "--rate")) rate = atof(value);
    else if (!strcmp(key, "--idle")) idle = atoi(value);
    else { fprintf(stderr, "unknown: %s\n", key); return 2; }
    i++;
  }
  struct rlimit limit = { 65536, 65536 };
  setrlimit(RLIMIT_NOFILE, &limit);
  prctl(PR_SET_TIMERSLACK, 1);
  ep = epoll_create1(0);
  all = calloc(connections + idle, sizeof *all);
  free_list = calloc(connections, sizeof *free_list);
  queue = malloc(queue_size * sizeof *queue);
  for (int i = 0; i < idle; i++) {
    struct connection *c = &all[connections + i];
    c->idle = 1;
    prepare(c, connections + i);
    connect_it(c);
    if (i % 64 == 63) for (int j = 0; j < 20; j++) turn(1000000);
  }
  for (long long end = now_ns() + 5000000000LL, all_idle = idle == 0; !all_idle && now_ns() < end;) {
    turn(10000000);
    all_idle = 1;
    for (int i = 0; i < idle; i++) if (all[connections + i].state != IDLE) all_idle = 0;
  }
  for (int i = 0; i < connections; i++) { prepare(&all[i], i); connect_it(&all[i]); }
  if (rate > 0) for (long long end = now_ns() + 3000000000LL; free_count < connections && now_ns() < end;) turn(1000000);
  long long start = now_ns(), end = start + (long long)(seconds * 1e9), next = start;
  long long step = rate > 0 ? (long long)(1e9 / rate) : 0;
  printf("begun\n"); fflush(stdout);
  for (long long now = start; now < end; now = now_ns()) {
    if (step == 0) { turn(50000000); continue; }
    for (; next <= now; next += step) {
      if (free_count > 0) begin(free_list[--free_count], next);
      else if (queue_tail - queue_head < queue_size) queue[queue_tail++ % queue_size] = next;
      else errors++;
    }
    long long wait = next - now_ns();
    turn(wait > 0 ? (int)wait : 0);
  }
  double took = (now_ns() - start) / 1e9;
  printf("{\"requests\":%ld,\"errors\":%ld,\"badStatus\":%ld,\"seconds\":%.4f,\"bytes\":%lld,\"unanswered\":%ld,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
         requests, errors, bad_status, took, received, queue_tail - queue_head, quantile(.5), quantile(.9), quantile(.99), quantile(.999), max_ns / 1e3);
  return 0;
}
