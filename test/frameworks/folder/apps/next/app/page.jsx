export const dynamic = "force-dynamic";

// biome-ignore lint/style/noDefaultExport: Next asks for it
export default function Page() {
  return <h1>Greenwood, rendered by process {process.pid}</h1>;
}
