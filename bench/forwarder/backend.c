// The server behind every proxy of the benchmark: one thread on epoll, prepared answers, nothing else.
//
//   backend [--tcp PORT]... [--unix PATH]...
//
// GET or POST /N answers 200 with N bytes; the request's body (Content-Length or chunked) is read and dropped.
// /counts answers how many requests and bytes of bodies it has seen since the last /counts, as JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define HEAD_BYTES_MAX 8192
#define ANSWERS_MAX 16

struct answer { long size; char *bytes; size_t length; };
struct connection {
  int fd, listening, tcp;
  char head[HEAD_BYTES_MAX];
  size_t head_length;
  int in_body, chunked, closing;
  long body_left;       // of a body with a length
  char tail[5];         // the last bytes of a chunked body
  const char *out; size_t out_left;
  struct answer *pending;
  char small[256];
  int writing;
};

static struct answer answers[ANSWERS_MAX];
static int answer_count;
static long requests, body_bytes;
static int ep;
static char buffer[READ_BYTES];

static struct answer *answer_of(long size) {
  for (int i = 0; i < answer_count; i++) if (answers[i].size == size) return &answers[i];
  if (answer_count == ANSWERS_MAX) exit(3);
  struct answer *a = &answers[answer_count++];
  a->size = size;
  a->bytes = malloc(size + 512);
  int n = sprintf(a->bytes, "HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 16:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %ld\r\nX-Powered-By: epoll\r\nETag: W/\"c8-5hXeL\"\r\n\r\n", size);
  memset(a->bytes + n, 'x', size);
  a->length = n + size;
  return a;
}

static void listen_on(int fd, int tcp) {
  struct connection *c = calloc(1, sizeof *c);
  c->fd = fd; c->listening = 1; c->tcp = tcp;
  if (listen(fd, 4096) < 0) { perror("listen"); exit(1); }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void watch(struct connection *c, int writing) {
  if (c->writing == writing) return;
  c->writing = writing;
  struct epoll_event e = { .events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c };
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static int flush(struct connection *c) {
  while (c->out_left > 0) {
    ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN) { watch(c, 1); return 0; }
      return -1;
    }
    c->out += n; c->out_left -= n;
  }
  watch(c, 0);
  return c->closing ? -1 : 1;
}

static int respond(struct connection *c) {
  requests++;
  c->head_length = 0;
  return flush(c);
}

// What the head says: where the answer is, and how the body is framed. The proxies send sane heads.
static void read_head(struct connection *c, size_t end) {
  char *path = strchr(c->head, ' ');
  c->chunked = 0; c->body_left = 0; c->closing = strstr(c->head, "HTTP/1.0\r") != NULL;
  if (path != NULL && strncmp(path + 1, "/counts", 7) == 0) {
    char body[128];
    int n = sprintf(body, "{\"requests\":%ld,\"bodyBytes\":%ld}\n", requests, body_bytes);
    requests = -1; body_bytes = 0;
    c->out_left = sprintf(c->small, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, body);
    c->out = c->small;
  } else {
    struct answer *a = answer_of(path == NULL ? 200 : atol(path + 2));
    c->out = a->bytes; c->out_left = a->length;
  }
  char saved = c->head[end]; c->head[end] = 0;
  for (char *line = strstr(c->head, "\r\n"); line != NULL && line[2] != 0; line = strstr(line + 2, "\r\n")) {
    char *name = line + 2;
    if (strncasecmp(name, "content-length:", 15) == 0) c->body_left = atol(name + 15);
    else if (strncasecmp(name, "transfer-encoding:", 18) == 0) c->chunked = 1;
    else if (strncasecmp(name, "connection: close", 17) == 0) c->closing = 1;
  }
  c->head[end] = saved;
  memset(c->tail, 0, 5);
  c->in_body = c->chunked || c->body_left > 0;
}

static int take(struct connection *c, const char *bytes, size_t length) {
  while (length > 0) {
    if (c->in_body && !c->chunked) {
      size_t n = length < (size_t)c->body_left ? length : (size_t)c->body_left;
      c->body_left -= n; body_bytes += n; bytes += n; length -= n;
      if (c->body_left > 0) return 1;
      c->in_body = 0;
      if (respond(c) < 0) return -1;
      continue;
    }
    if (c->in_body) {  // the end of a chunked body is looked for at the end of what came: nobody pipelines here
      body_bytes += length;
      for (size_t i = length < 5 ? 0 : length - 5; i < length; i++) { memmove(c->tail, c->tail + 1, 4); c->tail[4] = bytes[i]; }
      if (memcmp(c->tail, "0\r\n\r\n", 5) == 0) { c->in_body = 0; if (respond(c) < 0) return -1; }
      return 1;
    }
    size_t before = c->head_length, room = HEAD_BYTES_MAX - 1 - before, n = length < room ? length : room;
    if (n == 0) return -1;
    memcpy(c->head + before, bytes, n);
    c->head[before + n] = 0;
    char *end = strstr(c->head + (before < 3 ? 0 : before - 3), "\r\n\r\n");
    if (end == NULL) { c->head_length = before + n; bytes += n; length -= n; continue; }
    size_t used = end + 4 - c->head - before;
    bytes += used; length -= used;
    read_head(c, end + 2 - c->head);
    if (!c->in_body && respond(c) < 0) return -1;
  }
  return 1;
}

static void drop(struct connection *c) { close(c->fd); free(c); }

int main(int argc, char **argv) {
  struct rlimit limit = { 65536, 65536 };
  setrlimit(RLIMIT_NOFILE, &limit);
  ep = epoll_create1(0);
  for (int i = 1; i + 1 < argc; i += 2) {
    int fd, one = 1;
    if (strcmp(argv[i], "--tcp") == 0) {
      struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[i + 1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
      fd = socket(AF_INET, SOCK_STREAM, 0);
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) { perror("bind"); return 1; }
      listen_on(fd, 1);
    } else {
      struct sockaddr_un at = { .sun_family = AF_UNIX };
      strncpy(at.sun_path, argv[i + 1], sizeof at.sun_path - 1);
      unlink(argv[i + 1]);
      fd = socket(AF_UNIX, SOCK_STREAM, 0);
      if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) { perror("bind"); return 1; }
      listen_on(fd, 0);
    }
  }
  puts("ready"); fflush(stdout);
  struct epoll_event events[256];
  for (;;) {
    int n = epoll_wait(ep, events, 256, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->listening) {
        int fd;
        while ((fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          int one = 1;
          if (c->tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          struct connection *made = calloc(1, sizeof *made);
          made->fd = fd;
          struct epoll_event e = { .events = EPOLLIN, .data.ptr = made };
          epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        }
        continue;
      }
      if (c->writing) {
        if (flush(c) < 0) drop(c);
        continue;
      }
      ssize_t got = recv(c->fd, buffer, READ_BYTES, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) { drop(c); continue; }
      if (got > 0 && take(c, buffer, got) < 0) drop(c);
    }
  }
}
