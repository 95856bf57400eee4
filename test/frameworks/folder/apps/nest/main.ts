// Nest 12 on Express, with express-session in its default store; compiled by plain tsc.
import "reflect-metadata";
import { Body, Controller, Get, HttpCode, Ip, Module, Post, Req } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import session from "express-session";

interface SessionedRequest {
  session: { items?: number[] };
}

@Controller()
class ItemsController {
  @Get("seen")
  seen(@Ip() ip: string) {
    return { ip, pid: process.pid };
  }

  @Get("items")
  items(@Req() request: SessionedRequest) {
    return { items: request.session.items ?? [] };
  }

  @Post("items")
  @HttpCode(200)
  append(@Req() request: SessionedRequest, @Body() body: { item: number }) {
    request.session.items = [...(request.session.items ?? []), body.item];
    return { count: request.session.items.length };
  }
}

@Module({ controllers: [ItemsController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
app.use(session({ secret: "in the greenwood", resave: false, saveUninitialized: false }));
await app.listen(process.env.PORT ?? 3000);
