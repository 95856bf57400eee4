export const dynamic = "force-dynamic";

export function GET(request) {
  return Response.json({ ip: request.headers.get("x-forwarded-for"), pid: process.pid });
}
